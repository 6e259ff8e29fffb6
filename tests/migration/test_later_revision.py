"""The next revision, rehearsed: made from the template, frozen, run on a database that holds memories."""

import shutil
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from engine import migrate
from engine.errors import InstallationMismatch
from engine.schema.files import digest, parse_sums
from engine.schema.parameters import Parameters
from engine.sources import source_dir
from migrations import freeze as freezing
from migrations.freeze import desired_tree, freeze, frozen_tree
from tests.support.catalog import snapshot
from tests.support.databases import Databases
from tests.support.direct import build

HEAD = migrate.heads()[0]
NEXT = f"{int(HEAD) + 1:04}"
TABLE = "create table mnemo.example (width bit({bits}), note text default '100 % :sure');\n"
ALTERED = "comment on table mnemo.ingest is 'Altered, not made anew.';\n"
FUNCTION = (
    "create or replace function mnemo.example() returns bigint language sql stable\n"
    "set search_path = pg_catalog, pg_temp as $$ select count(*) from mnemo.memory $$;\n"
)


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Copies of sql/ and migrations/ in which a revision after the newest one adds and alters tables."""
    tree, migrations = tmp_path / "sql", tmp_path / "migrations"
    shutil.copytree(source_dir("sql"), tree)
    shutil.copytree(source_dir("migrations"), migrations)
    freeze(HEAD, tree, migrations / "frozen")

    (tree / "schema" / "99_example.sql").write_text(TABLE, encoding="utf-8")
    with (tree / "schema" / "45_ingest.sql").open("a", encoding="utf-8") as file:
        file.write(ALTERED)
    (tree / "functions" / "example").mkdir()
    (tree / "functions" / "example" / "example.sql").write_text(FUNCTION, encoding="utf-8")
    (tree / "functions" / "algebra" / "similarity.sql").unlink()
    grants = (tree / "grants.sql").read_text(encoding="utf-8")
    (tree / "grants.sql").write_text(grants.replace("'similarity', ", ""), encoding="utf-8")
    change = migrations / "frozen" / NEXT / "change.sql"
    change.parent.mkdir()
    drop = "drop function mnemo.similarity(bit, bit);\n"
    change.write_text(ALTERED + drop, encoding="utf-8")

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    # `alembic revision` would ask env.py for nothing: it only renders the template.
    command.revision(config, "an example", rev_id=NEXT)
    assert freeze(NEXT, tree, migrations / "frozen") == [
        "functions/example/example.sql",
        "grants.sql",
        "schema/45_ingest.sql",
        "schema/99_example.sql",
        "change.sql",
    ]
    return tree, migrations


def test_a_later_revision_reaches_the_sql_tree_and_keeps_memories(
    trees: tuple[Path, Path], databases: Databases
) -> None:
    tree, migrations = trees
    assert frozen_tree(migrations / "frozen") == desired_tree(tree)
    with (
        databases.empty() as dsn,
        databases.empty() as direct,
        mock.patch.object(migrate, "source_dir", return_value=migrations),
    ):
        migrate.upgrade(dsn, bits=2_048, sketch_bits=512, revision=HEAD)
        with psycopg.connect(dsn) as connection:
            connection.execute("select mnemo.remember('kept', hdv => mnemo.random_hypervector('kept'))")
        result = migrate.upgrade(dsn)
        assert (result.before, result.after) == (HEAD, NEXT)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("select mnemo.example()").fetchone() == (1,)
            connection.execute("delete from mnemo.memories")
            connection.execute("truncate mnemo.event, mnemo.term_log")

        build(direct, tree, Parameters(2_048, 512))
        assert snapshot(dsn, bodies=True).splitlines() == snapshot(direct, bodies=True).splitlines()


def test_a_changed_frozen_file_stops_the_upgrade(trees: tuple[Path, Path], empty_dsn: str) -> None:
    _, migrations = trees
    frozen = migrations / "frozen" / NEXT / "functions" / "example" / "example.sql"
    frozen.write_text(FUNCTION + "-- touched\n", encoding="utf-8")
    with mock.patch.object(migrate, "source_dir", return_value=migrations):
        with pytest.raises(
            InstallationMismatch, match=rf"{NEXT} differs from its SHA256SUMS: functions/example"
        ):
            migrate.upgrade(empty_dsn)
        assert migrate.current(empty_dsn) is None


def test_freezing_records_what_is_gone_and_spares_released_revisions(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, migrations = trees
    folder = migrations / "frozen" / NEXT
    assert (folder / "REMOVED").read_text(encoding="utf-8") == "functions/algebra/similarity.sql\n"
    sums = parse_sums((folder / "SHA256SUMS").read_text(encoding="utf-8"))
    assert sums == {path: digest(folder / path) for path in sums}
    assert "change.sql" in sums

    monkeypatch.setattr(freezing, "RELEASED", (NEXT,))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=f"{NEXT} is released"):
        freeze(NEXT, tree, migrations / "frozen")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
