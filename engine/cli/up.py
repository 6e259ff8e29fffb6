"""mnemo up."""

import click

from engine.cli.options import with_settings
from engine.cli.session import apply_settings, own_server
from engine.config import Settings
from engine.migrate import current
from engine.server import ensure_server


@click.command()
@with_settings
def command(settings: Settings) -> None:
    """Start the embedded server and leave it running.

    The first time, PostgreSQL is unpacked and Mnemo installed in it; later, an older installation is brought
    up to date.
    """
    server = own_server(settings)
    was_running = server.status().running
    served = ensure_server(settings)
    apply_settings(settings, served.dsn)
    status = server.status()
    click.echo(f"PostgreSQL {status.version} {'was running already' if was_running else 'is running'}")
    click.echo(f"  data       {status.data_dir}")
    click.echo(f"  revision   {current(served.dsn)}, {served.bits} bits, sketches of {served.sketch_bits}")
    click.echo(f"  dsn        {served.dsn}")
    if settings.embedded.port is not None:
        click.echo(f"  over TCP   {server.tcp_dsn()}")
    click.echo("connect with `mnemo psql`, or pass the dsn to any driver; stop with `mnemo down`")
