"""mnemo tenant: one module a subcommand, imported when used."""

from importlib import import_module

import click

_NAMES = ("list", "grant", "revoke", "usage", "quota", "store")


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
        command = import_module(f"engine.cli.tenant.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup)
def command() -> None:
    """Say who acts for a tenant, how much it may store, and where.

    Changes need a role that is a member of mnemo_owner. docs/tenants.md tells how it all works.
    """
