"""The group of commands; a command's module is imported when it is used."""

from importlib import import_module
from importlib.metadata import version

import click

from engine.cli.options import connection_options

ENVIRONMENT_PREFIX = "MNEMO"

# `mnemo --help` shows these without importing what the commands need; a test compares them with the commands.
SUMMARIES = {
    "demo": "Store real text and recall it: a tour of one minute.",
    "up": "Start the embedded server and leave it running.",
    "down": "Stop the embedded server.",
    "status": "Show the server, the installation and the tiers.",
    "psql": "Open psql on Mnemo's database.",
    "migrate": "Install Mnemo in a database, or bring it up to date.",
    "ingest": "Store the rows of a file.",
    "recall": "Find the memories nearest to a text, an embedding, values of roles, or a hypervector.",
    "eval": "Measure how well questions find their answers, beside cosine, BM25 and both.",
    "stats": "Show what each tier holds, the jobs, the event bus and the policies.",
    "top": "Watch tiers, jobs and the event bus.",
    "cost": "Show what the memories cost a month.",
    "worker": "Run the jobs until stopped.",
    "consolidate": "Move memories to the tiers that the policies say, now.",
    "archive": "Keep cold memories in an object store.",
    "restore": "Bring memories back from the object store.",
    "jobs": "Show the jobs that mnemo worker runs, or act on one.",
    "events": "Show the event bus, or try dead letters again.",
    "vault": "Keep what only its owner may read.",
    "audit": "Show who did what, and prove that nobody changed it.",
    "tenant": "Say who acts for a tenant, how much it may store, and where.",
    "verify": "Compare everything: the database with itself, with its objects, and with the copies.",
    "doctor": "Look for the traps of this field.",
}


class LazyGroup(click.Group):
    """Finds a command in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a newcomer meets them."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for an unknown name."""
        if cmd_name not in SUMMARIES:
            return None
        command = import_module(f"engine.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the summaries."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(
    cls=LazyGroup,
    context_settings={
        "auto_envvar_prefix": ENVIRONMENT_PREFIX,
        "show_default": True,
        "max_content_width": 100,
        "help_option_names": ["-h", "--help"],
    },
)
@connection_options
@click.version_option(version("mnemo"), prog_name="mnemo")
def group() -> None:
    """Long-term memory inside PostgreSQL: 16,384-bit hypervectors, recalled by Hamming distance.

    Without a dsn, Mnemo runs a PostgreSQL of its own. Every setting: docs/configuration.md.
    Start with: mnemo demo
    """
