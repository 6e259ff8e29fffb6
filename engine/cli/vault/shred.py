"""mnemo vault shred."""

import click

from engine.cli.arguments import Text
from engine.cli.options import with_settings
from engine.cli.output import notify, print_json
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo
from engine.vault.items import Certificate


@click.command()
@click.argument("names", type=Text(), nargs=-1, metavar="[NAME]...")
@click.option("--tenant-all", is_flag=True, show_envvar=True, help="Everything that the tenant has sealed.")
@click.option("--resume", is_flag=True, show_envvar=True, help="Only finish what was interrupted.")
@click.option("--yes", is_flag=True, show_envvar=True, help="Do not ask.")
@with_settings
def command(settings: Settings, names: tuple[str, ...], tenant_all: bool, resume: bool, yes: bool) -> None:
    """Destroy items for good, in backups too, by destroying the keys that open them; print the certificate.

    All other items are wrapped under a new key first; no backup of before opens anything any more.
    Interrupted, the items are gone from the database, and the next shred or rotate, or --resume, finishes it.
    """
    if bool(names) + tenant_all + resume != 1:
        raise click.UsageError("give the names of items, or --tenant-all, or --resume")
    if not yes and not resume:
        what = ", ".join(map(repr, names))
        if tenant_all:
            what = f"everything of tenant {with_mnemo(settings, lambda mnemo: mnemo.tenant())!r}"
        if not click.confirm(f"Destroy {what} for good, and make backups of before unreadable?", err=True):
            notify("nothing was shredded")
            raise click.exceptions.Exit(1)

    async def work(mnemo: Mnemo) -> tuple[Certificate, ...]:
        if resume:
            return await mnemo.vault.resume_shredding()
        if tenant_all:
            return (await mnemo.vault.shred_tenant(),)
        return (await mnemo.vault.shred(names),)

    certificates = with_mnemo(settings, work)
    for certificate in certificates:
        print_json(certificate.document)
    if not certificates:
        notify("nothing was left to finish")
