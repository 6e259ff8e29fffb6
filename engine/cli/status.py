"""mnemo status."""

from dataclasses import asdict, dataclass, field

import click
import psycopg

from engine.cli.options import with_settings
from engine.cli.output import print_json
from engine.cli.session import without_password
from engine.config import Settings
from engine.database.errors import translate_errors
from engine.migrate import current, heads, is_newer
from engine.server import embedded_server

NOT_RUNNING = 3


@dataclass
class _Status:
    running: bool
    dsn: str
    embedded: bool
    pid: int | None = None
    data_dir: str | None = None
    server_version: str | None = None
    revision: str | None = None
    newest_revision: str = ""
    bits: int | None = None
    sketch_bits: int | None = None
    memories: dict[str, int] = field(default_factory=dict)


@click.command()
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@click.pass_context
@with_settings
def command(settings: Settings, context: click.Context, json: bool) -> None:
    """Show the server, the installation and the tiers.

    Changes nothing. Exits with 3 when the embedded server is not running.
    """
    status = _look(settings)
    if json:
        print_json(asdict(status))
    else:
        _print(status)
    if not status.running:
        context.exit(NOT_RUNNING)


def _look(settings: Settings) -> _Status:
    if settings.dsn is not None:
        status = _Status(running=True, dsn=without_password(settings.dsn), embedded=False)
    else:
        server = embedded_server(settings).status()
        status = _Status(
            server.running, server.dsn, embedded=True, pid=server.pid, data_dir=str(server.data_dir)
        )
        if not server.running:
            return status
    dsn = settings.dsn or status.dsn
    status.newest_revision = heads()[0]
    status.revision = current(dsn)
    with translate_errors(), psycopg.connect(dsn) as connection:
        version = connection.execute("show server_version").fetchone()
        status.server_version = str(version[0]) if version else None
        if status.revision in heads():
            settings_rows = connection.execute("select name, value::float8 from mnemo.setting")
            widths: dict[str, float] = dict(settings_rows.fetchall())
            status.bits, status.sketch_bits = int(widths["bits"]), int(widths["sketch_bits"])
            tiers = connection.execute("select tier, memories from mnemo.tier_stats")
            status.memories = dict(tiers.fetchall())
    return status


def _print(status: _Status) -> None:
    where = f"data in {status.data_dir}" if status.embedded else "named by a dsn"
    if not status.running:
        click.echo(f"no server is running; {where}; start it with: mnemo up")
        return
    process = f", process {status.pid}" if status.pid else ""
    click.echo(f"server     PostgreSQL {status.server_version}{process}, {where}")
    click.echo(f"dsn        {status.dsn}")
    if status.revision is None:
        click.echo("revision   no Mnemo in this database; run: mnemo migrate")
    elif status.revision != status.newest_revision:
        todo = "update Mnemo" if is_newer(status.revision) else "run: mnemo migrate"
        click.echo(f"revision   {status.revision}, this program's is {status.newest_revision}; {todo}")
    else:
        click.echo(f"revision   {status.revision}, {status.bits} bits, sketches of {status.sketch_bits}")
        tiers = ", ".join(f"{tier} {count:,}" for tier, count in status.memories.items())
        click.echo(f"memories   {tiers}")
