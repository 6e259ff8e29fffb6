"""mnemo migrate."""

import click

from engine import migrate
from engine.cli.options import with_settings
from engine.cli.session import apply_settings
from engine.config import Settings
from engine.schema.parameters import DEFAULT_BITS
from engine.schema.request import MigrationResult
from engine.server import embedded_server


@click.command()
@click.option("--bits", type=int, show_envvar=True, help="D, of a first installation.  [default: 16384]")
@click.option(
    "--sketch-bits", type=int, show_envvar=True, help="S, of a first installation.  [default: 1536]"
)
@click.option("--revision", default="head", show_envvar=True, help="Where to stop; with --sql also FROM:TO.")
@click.option(
    "--sql", is_flag=True, show_envvar=True, help="Print the script instead, of a first installation."
)
@click.option("--downgrade", metavar="REVISION", show_envvar=True, help="Go back; base removes Mnemo.")
@click.option("--force", is_flag=True, show_envvar=True, help="With --downgrade: drop stored memories too.")
@with_settings
def command(
    settings: Settings,
    bits: int | None,
    sketch_bits: int | None,
    revision: str,
    sql: bool,
    downgrade: str | None,
    force: bool,
) -> None:
    """Install Mnemo in a database, or bring it up to date.

    Also gives the database the settings it keeps a copy of, such as lifecycle.half_life_days. The widths are
    fixed by the first installation. The script of an upgrade, for the widths that the database has, is
    printed by: mnemo migrate --sql --revision 0001:head
    """
    if downgrade is not None and (sql or bits or sketch_bits):
        raise click.UsageError("--downgrade goes with --force only")
    if force and downgrade is None:
        raise click.UsageError("--force goes with --downgrade")
    given = settings.install.model_fields_set
    if bits is None and "bits" in given:
        bits = settings.install.bits
    if sketch_bits is None and "sketch_bits" in given:
        sketch_bits = settings.install.sketch_bits
    if sql:
        script = migrate.offline_sql(DEFAULT_BITS if bits is None else bits, sketch_bits, revision)
        click.echo(script, nl=False)
        return
    dsn = settings.dsn or embedded_server(settings).start().dsn
    if downgrade is not None:
        _say(migrate.downgrade(dsn, downgrade, force=force))
        return
    _say(migrate.upgrade(dsn, bits=bits, sketch_bits=sketch_bits, revision=revision))
    for name, value in apply_settings(settings, dsn).items():
        click.echo(f"set {name} to {value:g}")


def _say(result: MigrationResult) -> None:
    after = result.after or "nothing"
    change = f"from {result.before or 'nothing'} to {after}" if result.changed else f"at {after} already"
    click.echo(f"{change}; {result.parameters.bits} bits, sketches of {result.parameters.sketch_bits}")
