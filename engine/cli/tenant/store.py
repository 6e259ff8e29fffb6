"""mnemo tenant store."""

from pathlib import Path

import click

from engine.cli.options import with_settings
from engine.cli.tenant.administering import administering, print_usage, usage
from engine.config import Settings


@click.command()
@click.argument("name", metavar="TENANT")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option(
    "--any",
    "anywhere",
    is_flag=True,
    envvar="MNEMO_TENANT_STORE_ANY",
    show_envvar=True,
    help="Let it be in any store again.",
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, name: str, urls: tuple[str, ...], anywhere: bool, json: bool) -> None:
    """Say which object stores may hold data of a tenant, or show it.

    A URL, such as s3://bucket-eu or s3://bucket/eu, means that store and those in folders of it. Where the
    store in use is none of them, memories of the tenant stay in the database, and come back to it.
    """
    if urls and anywhere:
        raise click.UsageError("--any allows every store: name none with it")
    stores = [url if "://" in url else Path(url).expanduser().absolute().as_uri() for url in urls]
    with administering(settings) as cursor:
        if stores:
            cursor.execute("select mnemo.set_residency(%s, %s)", (name, stores))
        elif anywhere:
            cursor.execute("select mnemo.remove_residency(%s)", (name,))
        rows = usage(cursor, name)
    print_usage(rows, json=json)
