"""mnemo down."""

import click

from engine.cli.options import with_settings
from engine.cli.session import own_server
from engine.config import Settings


@click.command()
@click.option(
    "--mode",
    type=click.Choice(["smart", "fast", "immediate"]),
    default="fast",
    show_envvar=True,
    help="Wait for clients to leave; end them; end at once, so that the next start recovers.",
)
@with_settings
def command(settings: Settings, mode: str) -> None:
    """Stop the embedded server. Memories stay on disk."""
    server = own_server(settings)
    place = server.status().data_dir
    click.echo(f"stopped the server on {place}" if server.stop(mode) else f"no server was running on {place}")
