"""mnemo audit prune."""

from datetime import UTC, datetime, timedelta

import click

from engine.audit.entry import INSTALLATION
from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option(
    "--days",
    type=click.FloatRange(0, 36_500),
    required=True,
    show_envvar=True,
    help="Remove what is older than so many days.",
)
@click.option("--installation", is_flag=True, show_envvar=True, help="The acts that concern no tenant.")
@click.option("--all", is_flag=True, show_envvar=True, help="Those of every tenant, too.")
@with_settings
def command(settings: Settings, days: float, installation: bool, all: bool) -> None:
    """Remove the oldest entries, now.

    The rest goes on verifying, and says what was removed. The job prune_audit does this by itself after
    audit_keep_days.
    """
    if all and installation:
        raise click.UsageError("--all does not go with --installation")
    before = datetime.now(UTC) - timedelta(days=days)

    async def work(mnemo: Mnemo) -> int:
        chains = await mnemo.audit.chains() if all else [INSTALLATION if installation else None]
        return sum([await mnemo.audit.prune(before, tenant=tenant) for tenant in chains])

    notify(f"{with_mnemo(settings, work):,} entries were removed")
