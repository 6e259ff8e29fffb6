"""mnemo vault adopt."""

import click

from engine.cli.options import with_settings
from engine.cli.output import notify
from engine.cli.session import with_mnemo
from engine.config import Settings

_QUESTION = (
    "Is the database that this is a copy of gone, or has it a key store of its own? "
    "Shredding and rotating here will destroy keys that it has too. Take them over?"
)


@click.command()
@click.option("--yes", is_flag=True, show_envvar=True, help="Do not ask.")
@with_settings
def command(settings: Settings, yes: bool) -> None:
    """Make this database the one that the keys of its vaults belong to.

    A copy of a database (a restored backup, a clone, a standby that took over) has the same keys as its
    original, so it neither rotates nor shreds until it is told that it is the only one that uses them. The
    original must be gone, or have a key store of its own: what is shredded here would no longer open there.
    """
    if not yes and not click.confirm(_QUESTION, err=True):
        notify("nothing was taken over")
        raise click.exceptions.Exit(1)
    if with_mnemo(settings, lambda mnemo: mnemo.vault.adopt()):
        notify("the keys of all vaults belong to this database now")
    else:
        notify("they belonged to this database already, or there are none")
