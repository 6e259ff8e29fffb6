"""mnemo tenant quota."""

import click

from engine.cli.options import with_settings
from engine.cli.tenant.administering import administering, print_usage, usage
from engine.config import Settings

_COUNT = click.IntRange(0, 2**63 - 1)


@click.command()
@click.argument("name", metavar="TENANT")
@click.option("--memories", type=_COUNT, show_envvar=True, help="So many memories, archived ones included.")
@click.option(
    "--bytes",
    "octets",
    type=_COUNT,
    envvar="MNEMO_TENANT_QUOTA_BYTES",
    show_envvar=True,
    help="So many bytes of memories and vault items.",
)
@click.option(
    "--writes-per-minute",
    type=click.IntRange(0, 2**31 - 1),
    show_envvar=True,
    help="So many rows a minute, and at once.",
)
@click.option("--remove", is_flag=True, show_envvar=True, help="End all limits.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(
    settings: Settings,
    name: str,
    memories: int | None,
    octets: int | None,
    writes_per_minute: int | None,
    remove: bool,
    json: bool,
) -> None:
    """Limit what a tenant may store, or show its limits.

    The limits given take the place of all there were: what is not given is not limited. A first quota counts
    what is there, for which writers wait.
    """
    limits = (memories, octets, writes_per_minute)
    given = any(limit is not None for limit in limits)
    if given and remove:
        raise click.UsageError("--remove ends all limits: give none with it")
    with administering(settings) as cursor:
        if remove:
            cursor.execute("select mnemo.remove_quota(%s)", (name,))
        elif given:
            cursor.execute("select mnemo.set_quota(%s, %s, %s, %s)", (name, *limits))
        rows = usage(cursor, name)
    print_usage(rows, json=json)
