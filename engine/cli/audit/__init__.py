"""mnemo audit: one module a subcommand, imported when used."""

from importlib import import_module

import click

_NAMES = ("list", "verify", "head", "prune")


class _LazyGroup(click.Group):
    """Finds a subcommand in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of their use."""
        return [*_NAMES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None for an unknown name."""
        if cmd_name not in _NAMES:
            return None
        command = import_module(f"engine.cli.audit.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup)
def command() -> None:
    """Show who did what, and prove that nobody changed it.

    Each tenant has an audit of its own, and the installation one; docs/audit.md tells what is in it.
    """
