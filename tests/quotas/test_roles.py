"""Quotas for people with no more rights than they need: whom they bind, who sees them, who sets them."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import Connection
from tests.quotas.archiving import value
from tests.tenancy.people import People, people_of

USAGE = "select tenant, memories, memories_limit, held from mnemo.tenant_usage order by 1"


@pytest.fixture
def people(narrow: str) -> Iterator[People]:
    """Who makes the people of this database."""
    with people_of(narrow) as made:
        yield made


def opened(conninfo: str) -> Connection:
    return psycopg.connect(conninfo, autocommit=True)


def test_o10_an_app_is_bound_by_its_tenants_quota_and_sees_no_other(db: Connection, people: People) -> None:
    db.execute("select mnemo.set_quota('a', memories => 2), mnemo.set_quota('b', memories => 0)")
    db.execute("select mnemo.set_residency('b', '{s3://eu}')")
    with opened(people.login("mnemo_app", tenants=["a"])) as app:
        app.execute("select mnemo.remember('one', key => 'k')")
        app.execute("select mnemo.remember('other', key => 'k'), mnemo.remember('two')")
        with pytest.raises(psycopg.Error, match="tenant 'a' has a quota of 2 memories"):
            app.execute("select mnemo.remember('three')")
        app.execute("insert into mnemo.memories (content, key) values ('again', 'k')")
        app.execute("update mnemo.memories set attributes = '{\"n\": 1}'")
        assert app.execute(USAGE).fetchall() == [("a", 2, 2, False)]
        app.execute("delete from mnemo.memories where key = 'k'")
        assert app.execute(USAGE).fetchall() == [("a", 1, 2, False)]
    assert db.execute("select * from mnemo.recount_usage('a')").fetchone() == (0, 0)


@pytest.mark.parametrize("kind", ["mnemo_app", "mnemo_reader", "mnemo_vault", "mnemo_worker"])
@pytest.mark.parametrize(
    "call",
    [
        "select mnemo.set_quota('a', memories => 100)",
        "select mnemo.remove_quota('a')",
        "select * from mnemo.recount_usage('a')",
        "select mnemo.charge(-1, 0)",
        "select mnemo.lock_quota()",
        "select * from mnemo.counted_usage('a')",
        "select mnemo.correct_usage('a', -1, 0)",
        "select mnemo.set_residency('a', '{s3://us}')",
        "select mnemo.remove_residency('a')",
        "update mnemo.quota set memories = 100",
        "delete from mnemo.residency",
        "insert into mnemo.quota_change (number) values (1)",
    ],
)
def test_only_owners_change_quotas_and_residencies(
    db: Connection, people: People, kind: str, call: str
) -> None:
    db.execute("select mnemo.set_quota('a', memories => 1)")
    with (
        opened(people.login(kind, tenants=["a"])) as person,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        person.execute(call.encode())


def test_an_owner_who_is_no_superuser_sets_them(db: Connection, people: People) -> None:
    db.execute("select mnemo.remember('there before')")
    with opened(people.login("mnemo_owner")) as owner:
        owner.execute("select mnemo.set_quota('default', memories => 5)")
        owner.execute("select mnemo.set_residency('default', '{s3://eu}')")
        assert owner.execute(USAGE).fetchall() == [("default", 1, 5, False)]
        assert value(owner, "select memories from mnemo.recount_usage('default')") == 0
        owner.execute("select mnemo.remove_residency('default'), mnemo.remove_quota('default')")


def test_a_worker_expires_within_quotas_of_all_tenants(db: Connection, people: People) -> None:
    for tenant in ("a", "b"):
        db.execute("select mnemo.set_quota(%s, memories => 5)", [tenant])
        db.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
        db.execute("select mnemo.remember('gone soon'), mnemo.remember('stays')")
    db.execute(
        "update mnemo.activity set expires_at = mnemo.now() where id in"
        " (select id from mnemo.memory where content = 'gone soon')"
    )
    with opened(people.login("mnemo_worker")) as worker:
        assert value(worker, "select mnemo.expire_step()") == 2
    assert db.execute("select tenant, memories_used from mnemo.quota order by 1").fetchall() == [
        ("a", 1),
        ("b", 1),
    ]
