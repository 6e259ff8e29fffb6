"""mnemo archive: one module a subcommand, imported when used."""

from importlib import import_module
from importlib.util import find_spec

import click

SUMMARIES = {
    "run": "Move cold memories to the object store, now.",
    "status": "Show the segments and what is being done to them.",
    "verify": "Compare the objects with the database.",
    "compact": "Write archived segments anew, without dead rows.",
    "gc": "Delete objects that are needed no more.",
    "attach": "Use an object store, or objects of another database.",
}


class _LazyGroup(click.Group):
    """Finds a subcommand in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of their use."""
        return [name for name in SUMMARIES if find_spec(f"engine.cli.archive.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None for an unknown name."""
        if cmd_name not in self.list_commands(ctx):
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
