"""The mapped classes say what the database has."""

import pytest
from sqlalchemy import inspect
from sqlalchemy.engine.interfaces import ReflectedColumn

from engine import orm
from engine.orm import (
    Activity,
    Base,
    Collection,
    Memory,
    Segment,
    StoredMemory,
    Tier,
    TierStats,
    create_engine,
)

DIALECT = create_engine().dialect
VIEWS: tuple[type[Base], ...] = (
    Memory,
    TierStats,
    orm.JobStatus,
    orm.BusLag,
    orm.DeadLetter,
    orm.PolicyHistory,
)
TABLES: tuple[type[Base], ...] = (
    StoredMemory, Activity, Collection, Tier, Segment, orm.Policy, orm.PolicyChange, orm.Move,
    orm.DailyAccesses, orm.Job, orm.JobRun, orm.TierPrice, orm.Association,
    orm.Telemetry,
)  # fmt: skip


def described(columns: list[ReflectedColumn]) -> dict[str, tuple[str, bool]]:
    """Type and nullability of reflected columns, by name, in order."""
    found = {}
    for reflected in columns:
        kind = reflected["type"].compile(DIALECT)
        found[reflected["name"]] = ("BIT VARYING" if kind == "BIT(16384)" else kind, reflected["nullable"])
    return found


def mapped(kind: type[Base]) -> dict[str, tuple[str, bool]]:
    """The same of a mapped class."""
    return {
        column.name: (column.type.compile(DIALECT), bool(column.nullable))
        for column in kind.__table__.columns
    }


@pytest.fixture(scope="module")
def reflected(module_dsn: str) -> dict[str, dict[str, tuple[str, bool]]]:
    engine = create_engine(module_dsn)
    found = {
        kind.__tablename__: described(inspect(engine).get_columns(kind.__tablename__, schema="mnemo"))
        for kind in (*TABLES, *VIEWS)
    }
    engine.dispose()
    return found


Reflected = dict[str, dict[str, tuple[str, bool]]]


def test_all_classes_are_compared() -> None:
    assert {mapper.class_ for mapper in Base.registry.mappers} == {*TABLES, *VIEWS}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_have_the_columns_of_their_class(reflected: Reflected, kind: type[Base]) -> None:
    assert list(mapped(kind).items()) == list(reflected[kind.__tablename__].items())


@pytest.mark.parametrize("kind", VIEWS)
def test_views_have_the_columns_of_their_class(reflected: Reflected, kind: type[Base]) -> None:
    columns = reflected[kind.__tablename__]
    assert [(name, kind) for name, (kind, _) in mapped(kind).items()] == [
        (name, kind) for name, (kind, _) in columns.items()
    ]


def test_the_view_of_memories_is_as_nullable_as_its_tables(reflected: Reflected) -> None:
    below = reflected["memory"] | reflected["activity"]
    columns = mapped(Memory)
    assert columns.pop("strength")[1] is False
    assert {name: nullable for name, (_, nullable) in columns.items()} == {
        name: below[name][1] for name in columns
    }
