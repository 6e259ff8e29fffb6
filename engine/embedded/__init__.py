"""A PostgreSQL of Mnemo's own: installed, configured, started and stopped without an administrator."""

from engine.embedded.account import default_data_dir
from engine.embedded.errors import EmbeddedServerError
from engine.embedded.server import EmbeddedServer, ServerStatus

__all__ = ["EmbeddedServer", "EmbeddedServerError", "ServerStatus", "default_data_dir"]
