"""Something of a tenant in every table that can hold something of one, with canaries in it."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg

from tests.conftest import Connection

ALPHA, BETA = "alpha", "beta"
# What nobody else may ever read. What names things (keys, contexts, ids) can be guessed, and is none.
CANARY = "kanarie"
BITS, SKETCH_BITS = 1_024, 256
VAULT_KEY = "sixteen bytes at least"
_NAMED = ("key", "context", "session", "source", "item", "name", "term")
_IDS = (
    "select array_agg(distinct i.id) from (select id, tenant from mnemo.memory"
    " union all select id, tenant from mnemo.archived_memory"
    " union all select id, tenant from mnemo.vault_item"
    " union all select id, tenant from mnemo.data_key) as i where i.tenant = %s"
)


@dataclass(frozen=True)
class Handles:
    """What an attacker may have guessed or found: names and ids of things of a tenant."""

    tenant: str
    ids: list[UUID]

    @property
    def names(self) -> dict[str, str]:
        """Names, by what they are of."""
        return {of: f"{self.tenant}-{of}" for of in _NAMED}


def prepare(connection: Connection) -> None:
    """What is everybody's: whoever wants events and copies."""
    connection.execute("select mnemo.subscribe('readers', array['memory.write', 'memory.forget'])")
    connection.execute("select mnemo.add_copy_policy('copies')")


def plant(dsn: str, tenant: str = ALPHA) -> Handles:
    """Fill every table with rows of a tenant, in a database that is prepared."""
    statements = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, value in {"mnemo.tenant": tenant, "plant.secret": CANARY, "plant.key": VAULT_KEY}.items():
            connection.execute("select set_config(%s, %s, false)", [name, value])
        for statement in _whole(statements):
            connection.execute(statement.encode())
        row = connection.execute(_IDS, [tenant]).fetchone()
    assert row is not None
    return Handles(tenant, row[0])


def _whole(parts: list[str]) -> list[str]:
    """Join the parts of statements that have semicolons between dollar quotes."""
    statements = [""]
    for part in parts:
        statements[-1] += part + ";\n"
        if statements[-1].count("$$") % 2 == 0:
            statements.append("")
    return [statement for statement in statements if statement.strip(";\n ")]
