"""Private memories on databases of their own, with their keys in a directory."""

from tests.vault.conftest import keys, mnemo, open_mnemo

__all__ = ["keys", "mnemo", "open_mnemo"]
