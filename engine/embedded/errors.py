"""The one exception of the embedded server."""

from engine.errors import MnemoError


class EmbeddedServerError(MnemoError):
    """The embedded server cannot do what was asked; the message says why and what to do."""
