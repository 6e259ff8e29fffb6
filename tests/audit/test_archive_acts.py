"""What happens to archived memories and copies is entered, whoever does it; the clients are scripted."""

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.audit.oracle import entries
from tests.audit.test_chain import problems
from tests.conftest import DatabaseFactory
from tests.crash.matrix import clock
from tests.crash.scenarios import BASE, SCENARIOS

ACTS: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "compact": ("", "segment.compact", "1000002", {"segments": [1000001], "rows": 7, "dropped": 2}),
    "give up a segment": ("", "segment.give_up", "1000001", {}),
    "bring back lost memories": ("default", "memory.restore", None, {"memories": 2}),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_act_on_the_archive_is_entered(database_factory: DatabaseFactory, name: str) -> None:
    scenario, (tenant, action, subject, detail) = SCENARIOS[name], ACTS[name]
    dsn = make_conninfo(database_factory(1_024, 64), options=f"-c mnemo.clock={clock(0)} -c timezone=UTC")
    with psycopg.connect(dsn, autocommit=True) as db:
        for statement in (*BASE, *scenario.prepare):
            db.execute(statement.encode())
        before = len(entries(db, tenant))
        db.execute("select set_config('mnemo.clock', %s, false)", [clock(scenario.days)])
        db.execute(f"begin; {scenario.action}; commit".encode())
        (entry,) = entries(db, tenant)[before:]
        assert (entry["action"], entry["subject"], json.loads(entry["detail"])) == (action, subject, detail)
        assert entry["at"] < datetime(2030, 1, 1, tzinfo=UTC)
        assert problems(db, tenant) == []
