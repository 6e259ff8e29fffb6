"""mnemo verify."""

import sys
from dataclasses import dataclass, field

import click

from engine.archive.comparing import Discrepancy
from engine.archive.repairing import repair as put_right
from engine.archive.session import open_archive
from engine.archive.verifying import has_archive, verify, verify_database
from engine.cli.options import with_settings
from engine.cli.output import as_line, notify, print_json
from engine.cli.progress import RowsProgress
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@dataclass
class Verified:
    """What was found, and what was done about it; after a repair, what is left."""

    found: list[dict[str, object]] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many of them are more than worth knowing."""
        return sum(bool(each["wrong"]) for each in self.found)


@click.command()
@click.option("--quick", is_flag=True, show_envvar=True, help="Read no objects: compare their sizes.")
@click.option("--repair", is_flag=True, show_envvar=True, help="Put right what can be, and look again.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, quick: bool, repair: bool, json: bool) -> None:
    """Compare everything: the database with itself, with its objects, and with the copies.

    Prints a line for each discrepancy, and exits with 1 where anything is wrong. --repair takes what the
    copies or other objects still have; docs/archive.md tells what that is.
    """
    report(settings, quick=quick, repair=repair, json=json, archive_only=False)


def report(settings: Settings, *, quick: bool, repair: bool, json: bool, archive_only: bool) -> None:
    """Verify, print what was found, and exit with 1 where anything is wrong."""

    async def work(mnemo: Mnemo) -> Verified:
        return await _verify(mnemo, settings, quick, repair, archive_only)

    verified = with_mnemo(settings, work)
    if json:
        print_json({"discrepancies": verified.found, "repaired": verified.repaired, "wrong": verified.wrong})
    else:
        for line in verified.repaired:
            notify(as_line(line))
        for each in verified.found:
            kind = "wrong" if each["wrong"] else "note"
            click.echo(as_line(f"{kind}: {each['subject']}: {each['problem']}"))
        if not verified.wrong:
            notify("nothing is wrong")
    if verified.wrong:
        raise click.exceptions.Exit(1)


async def _verify(
    mnemo: Mnemo, settings: Settings, quick: bool, repair: bool, archive_only: bool
) -> Verified:
    if not await has_archive(mnemo.pool):
        found = [] if archive_only else await verify_database(mnemo.pool)
        return Verified([_row(each) for each in found])
    with RowsProgress(shown=sys.stderr.isatty()) as progress:
        async with open_archive(mnemo.pool, settings, worker="mnemo verify") as session:

            async def look() -> list[Discrepancy]:
                checked = verify(session, quick=quick, archive_only=archive_only, on_progress=progress.show)
                return [each async for each in checked]

            found, repaired = await look(), []
            if repair and any(each.wrong for each in found):
                repaired = await put_right(session, found)
                found = await look()
    return Verified([_row(each) for each in found], repaired)


def _row(each: Discrepancy) -> dict[str, object]:
    return {"subject": each.subject, "problem": each.problem, "wrong": each.wrong}
