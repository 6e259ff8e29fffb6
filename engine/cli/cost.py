"""mnemo cost."""

from typing import Any

import click
import psycopg
from psycopg.rows import dict_row
from rich.console import Console

from engine.cli.options import with_settings
from engine.cli.output import print_json, print_table, size
from engine.cli.session import kept_server
from engine.config import Settings
from engine.database.errors import translate_errors

_NOW = "select tier, memories, total_bytes, price_per_tb_month, monthly_cost from mnemo.monthly_cost()"
_MISPLACED = (
    "select tier, recommended, memories, monthly_saving from mnemo.recommended_tiers"
    " where tier <> recommended"
)
_BEST = (
    "select tier, memories, accesses_per_hour, lowest_rate, monthly_cost, latency_ms"
    " from mnemo.best_distribution(%s)"
)

_Rows = list[dict[str, Any]]


@click.command()
@click.option(
    "--budget", type=float, metavar="DOLLARS", show_envvar=True, help="Show the fastest way to spend this."
)
@click.option("--json", is_flag=True, show_envvar=True, help="Print one JSON object.")
@with_settings
def command(settings: Settings, budget: float | None, json: bool) -> None:
    """Show what the memories cost a month.

    Memories of all tenants, in dollars. Those used more or less often than fits their tier are listed, with
    what moving them would save. With --budget, also the distribution over the tiers that answers fastest at
    that price. Prices: select mnemo.set_tier_price('hot', 500).
    """
    found = _ask(kept_server(settings).dsn, budget)
    if json:
        print_json(found)
    else:
        _show(Console(), found, budget)


def _ask(dsn: str, budget: float | None) -> dict[str, _Rows]:
    with translate_errors(), psycopg.connect(dsn, row_factory=dict_row) as connection:
        # One snapshot, so that the tables agree.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        found = {
            "tiers": connection.execute(_NOW).fetchall(),
            "misplaced": connection.execute(_MISPLACED).fetchall(),
        }
        if budget is not None:
            found["best"] = connection.execute(_BEST, [budget]).fetchall()
    return found


def _show(console: Console, found: dict[str, _Rows], budget: float | None) -> None:
    print_table(
        console,
        [("tier", False), *((title, True) for title in ("memories", "size", "$/TB-month", "$/month"))],
        [
            (
                row["tier"],
                f"{row['memories']:,}",
                size(int(row["total_bytes"])),
                "" if row["price_per_tb_month"] is None else f"{row['price_per_tb_month']:,.2f}",
                _dollars(row["monthly_cost"]),
            )
            for row in found["tiers"]
        ],
    )
    if found["misplaced"]:
        console.print("\nBy their use, in another tier:", style="bold")
        print_table(
            console,
            [("from", False), ("to", False), ("memories", True), ("saves $/month", True)],
            [
                (row["tier"], row["recommended"], f"{row['memories']:,}", _dollars(row["monthly_saving"]))
                for row in found["misplaced"]
            ],
        )
    if budget is not None:
        console.print(f"\nFastest for ${budget:,g} a month:", style="bold", highlight=False)
        columns = ["memories", "accesses/h", "from accesses/h", "$/month", "ms an access"]
        print_table(
            console,
            [("tier", False), *((title, True) for title in columns)],
            [
                (
                    row["tier"],
                    f"{row['memories']:,}",
                    f"{row['accesses_per_hour']:,.4g}",
                    ""
                    if row["lowest_rate"] is None or row["tier"] == "total"
                    else f"{row['lowest_rate']:.4g}",
                    _dollars(row["monthly_cost"]),
                    "" if row["latency_ms"] is None else f"{row['latency_ms']:,.4g}",
                )
                for row in found["best"]
            ],
        )


def _dollars(amount: float) -> str:
    # Small installations cost fractions of a cent; two decimals would show them as free.
    return f"{amount:,.2f}" if abs(amount) >= 1 or amount == 0 else f"{amount:.3g}"
