"""mnemo doctor."""

from collections import Counter
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from engine.cli.options import with_settings
from engine.cli.output import print_json
from engine.cli.session import with_mnemo
from engine.config import Settings
from engine.doctor import Finding
from engine.mnemo import Mnemo

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command()
@click.option(
    "--deep", is_flag=True, show_envvar=True, help="Compare every memory with its activity and key."
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, deep: bool, json: bool) -> None:
    """Look for the traps of this field; exit with 1 where a check fails.

    The same in SQL: select * from mnemo.doctor().
    """

    async def examine(mnemo: Mnemo) -> list[Finding]:
        return await mnemo.doctor(deep)

    findings = with_mnemo(settings, examine)
    if json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        _show(Console(), findings)
    if any(finding.status == "fail" for finding in findings):
        raise click.exceptions.Exit(1)


def _show(console: Console, findings: list[Finding]) -> None:
    widest = max(len(finding.check) for finding in findings)
    for finding in findings:
        line = Text(f"{finding.status:<4}  ", style=_STYLES[finding.status])
        line.append(f"{finding.check:<{widest}}  ", style="bold")
        line.append(finding.detail, style="default")
        console.print(line, soft_wrap=True)
        if finding.advice is not None:
            console.print(Text(f"{'':{widest + 8}}{finding.advice}", style="dim"), soft_wrap=True)
    counts = Counter(finding.status for finding in findings)
    console.print(Text(", ".join(f"{count} {status}" for status, count in sorted(counts.items()))))
