"""mnemo archive: one module a subcommand, imported when used."""

from importlib import import_module

import click

_NAMES = ("run", "status", "verify", "compact", "gc", "attach")


class _LazyGroup(click.Group):
    """Finds a subcommand in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of their use."""
        return list(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None for an unknown name."""
        if cmd_name not in _NAMES:
            return None
        command = import_module(f"engine.cli.archive.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup)
def command() -> None:
    """Keep cold memories in an object store.

    They stay searchable, readable and forgettable there; docs/archive.md tells how. mnemo worker does all of
    it by itself once there is an archive policy.
    """
