"""The command `mnemo`: a thin edge over the Python API; one module a command."""

from engine.cli.main import main

__all__ = ["main"]
