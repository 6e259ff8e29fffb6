"""sql/ is what a database is, migrations are how it got there: both must arrive at the same place."""

from collections.abc import Callable

import psycopg
import pytest

from engine import migrate
from engine.schema.files import parse_sums
from engine.schema.parameters import Parameters
from engine.schema.revision import SUMS, verify_frozen
from engine.sources import source_dir
from migrations.freeze import desired_tree, frozen_tree
from tests.support.catalog import snapshot
from tests.support.databases import Databases
from tests.support.direct import build

FROZEN = source_dir("migrations") / "frozen"

# One change of each kind that the snapshot must notice; each works on what the last one left.
CHANGES = [
    "alter table mnemo.memory_hot alter column content set storage external",
    "alter table mnemo.memory_hot reset (toast_tuple_target)",
    "alter table mnemo.activity alter column pinned set default true",
    "alter table mnemo.activity alter column pinned drop not null",
    "alter table mnemo.activity add constraint wide check (access_count < 10)",
    "create index on mnemo.activity (access_count)",
    "alter table mnemo.setting enable row level security",
    "create policy own on mnemo.setting using (value > 0)",
    "create function mnemo.example() returns int language sql as 'select 1'",
    "create or replace function mnemo.example() returns int language sql as 'select 2'",
    "alter function mnemo.example() set search_path = ''",
    "alter function mnemo.example() stable",
    "revoke execute on function mnemo.example() from public",
    "comment on function mnemo.example() is 'An example.'",
    "create view mnemo.example_view as select 1 as one",
    "create or replace view mnemo.example_view as select 2 as one",
    "create type mnemo.example_type as enum ('a')",
    "grant select on mnemo.setting to public",
    "update mnemo.setting set value = value + 1 where name = 'sketch_bits'",
]


def test_migrations_arrive_at_the_sql_tree(databases: Databases) -> None:
    with databases.empty() as direct, databases.empty() as migrated, databases.empty() as scripted:
        migrate.upgrade(migrated)
        build(direct, source_dir("sql"), Parameters())
        with psycopg.connect(scripted, autocommit=True) as connection:
            connection.execute(migrate.offline_sql().encode())

        expected = snapshot(direct, bodies=True).splitlines()
        assert snapshot(migrated, bodies=True).splitlines() == expected
        assert snapshot(scripted, bodies=True).splitlines() == expected
        assert migrate.current(scripted) == migrate.current(migrated) == migrate.heads()[0]


def test_schema_is_the_golden_one(dsn: str, golden: Callable[[str, str], None]) -> None:
    golden("schema.txt", snapshot(dsn))


def test_snapshot_notices_every_kind_of_change(dsn: str) -> None:
    seen = [snapshot(dsn, bodies=True)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        for change in CHANGES:
            connection.execute(change.encode())
            seen.append(snapshot(dsn, bodies=True))
            assert seen[-1] != seen[-2], change


def test_frozen_files_have_their_recorded_hashes() -> None:
    folders = [path for path in FROZEN.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        verify_frozen(folder)
        assert parse_sums((folder / SUMS).read_text(encoding="utf-8"))


def test_head_is_frozen_as_the_sql_tree_is() -> None:
    frozen, desired = frozen_tree(FROZEN), desired_tree(source_dir("sql"))
    differing = sorted(
        path for path in frozen.keys() | desired.keys() if frozen.get(path) != desired.get(path)
    )
    if differing:
        pytest.fail(f"run make freeze REVISION={migrate.heads()[0]}; it lacks: {', '.join(differing)}")
