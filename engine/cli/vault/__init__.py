"""mnemo vault: one module a subcommand, imported when used."""

from importlib import import_module

import click

_NAMES = ("put", "get", "list", "export", "drop", "rotate", "shred", "keys", "adopt")


class _LazyGroup(click.Group):
    """Finds a subcommand in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of their use."""
        # Once imported, the subcommand list hides the type of that name here.
        return [*_NAMES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None for an unknown name."""
        if cmd_name not in _NAMES:
            return None
        command = import_module(f"engine.cli.vault.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup)
def command() -> None:
    """Keep what only its owner may read.

    Items are sealed here, under keys that the database never has: set vault.keys (MNEMO_VAULT__KEYS) to where
    these are kept. Names and metadata are not encrypted. docs/vault.md tells how it all works.
    """
