"""The command `mnemo`: a thin edge over the Python API; one module a command."""

from engine.cli.process import main

__all__ = ["main"]
