"""What the database is told, and that its own defaults are the same."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.config import Settings
from engine.config.database import database_settings
from engine.config.presets import PRESETS
from engine.errors import InvalidArgument
from tests.conftest import Connection


def test_only_given_values_go_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_settings(Settings()) == {}
    monkeypatch.setenv("MNEMO_LIFECYCLE__HOT_THRESHOLD", "0.8")
    monkeypatch.setenv("MNEMO_SEARCH__K", "20")
    given = database_settings(Settings(ingest={"content_max_bytes": 500}))
    assert given == {"hot_threshold": 0.8, "content_max_bytes": 500}
    assert database_settings(Settings(preset="aggressive", lifecycle={"half_life_days": 3})) == {
        **PRESETS["aggressive"]["lifecycle"],
        "half_life_days": 3.0,
        "hot_threshold": 0.8,
    }


def test_the_importance_of_a_new_memory_stays_in_python() -> None:
    assert database_settings(Settings(lifecycle={"importance": 0.5})) == {}


def test_the_database_starts_with_the_same_defaults(connection: Connection) -> None:
    defaults = Settings()
    asked = database_settings(spelled_out(defaults))
    rows = connection.execute(
        "select name, value from mnemo.setting where name = any(%s)"
        " union all select tier || '_threshold', leaves_below from mnemo.tier where leaves_below is not null",
        [list(asked)],
    ).fetchall()
    assert dict(rows) == asked
    connection.execute("select mnemo.remember('x')")
    born = connection.execute("select strength from mnemo.memories").fetchone()
    assert born == (pytest.approx(defaults.lifecycle.importance),)


def test_the_database_takes_every_value(connection: Connection) -> None:
    asked = database_settings(spelled_out(Settings(preset="aggressive", lifecycle={"hot_threshold": 0.8})))
    connection.execute("select mnemo.configure(%s)", [Jsonb(asked)])
    rows = connection.execute(
        "select name, value from mnemo.setting"
        " union all select tier || '_threshold', leaves_below from mnemo.tier"
    ).fetchall()
    assert asked.items() <= dict(rows).items()


def test_every_setting_but_the_widths_can_be_configured(connection: Connection) -> None:
    rows = connection.execute("select name, value from mnemo.setting order by name").fetchall()
    for name, value in rows:
        if name in ("bits", "sketch_bits"):
            with pytest.raises(psycopg.Error, match="fixed at install"):
                connection.execute("select mnemo.configure(%s)", [Jsonb({name: value})])
        else:
            connection.execute("select mnemo.configure(%s)", [Jsonb({name: value})])
    assert connection.execute("select name, value from mnemo.setting order by name").fetchall() == rows


@pytest.mark.parametrize("value", ["NaN", "0", "-1", "Infinity", "1.5", "many"])
def test_the_database_refuses_what_makes_no_sense(connection: Connection, value: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("select mnemo.configure(%s)", [Jsonb({"potentiation": value})])
    assert caught.value.sqlstate == InvalidArgument.sqlstate
    assert "potentiation" in str(caught.value)


def spelled_out(settings: Settings) -> Settings:
    return Settings(**settings.model_dump(exclude={"config"}))
