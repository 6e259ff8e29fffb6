"""mnemo audit verify."""

import click

from engine.audit.entry import INSTALLATION, Anchor, AuditProblem
from engine.cli.options import with_settings
from engine.cli.output import as_line, notify, print_json
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.mnemo import Mnemo


@click.command()
@click.option("--expect", metavar="SEQ:HASH", show_envvar=True, help="What mnemo audit head once printed.")
@click.option("--installation", is_flag=True, show_envvar=True, help="The acts that concern no tenant.")
@click.option("--all", is_flag=True, show_envvar=True, help="Those of every tenant, too.")
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, expect: str | None, installation: bool, all: bool, json: bool) -> None:
    """Find entries that were changed, removed, inserted or moved.

    Prints a line for each, and exits with 1 where there are any. Without --expect nothing proves that the
    newest entries were not taken away, or all hashes computed anew, by somebody who owns the server.
    """
    if all and (installation or expect):
        raise click.UsageError("--all goes with neither --installation nor --expect")
    anchor = None if expect is None else Anchor.parse(expect)

    async def work(mnemo: Mnemo) -> dict[str, list[AuditProblem]]:
        if all:
            chains = await mnemo.audit.chains()
        else:
            chains = [INSTALLATION if installation else await mnemo.tenant()]
        return {tenant: await mnemo.audit.verify(tenant=tenant, expect=anchor) for tenant in chains}

    found = with_mnemo(settings, work)
    problems = [
        {"tenant": tenant, "seq": each.seq, "problem": each.problem}
        for tenant, each_found in found.items()
        for each in each_found
    ]
    if json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            whose = f"tenant {problem['tenant']}" if problem["tenant"] else "installation"
            click.echo(as_line(f"{whose}: entry {problem['seq']}: {problem['problem']}"))
        if not problems:
            notify("nothing was changed")
    if problems:
        raise click.exceptions.Exit(1)
