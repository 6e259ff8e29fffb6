"""The embedded server by the command: up, status, psql, recall, down; and pipes."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.embedded import EmbeddedServer
from tests.cli.conftest import PATIENCE_S, PROGRAM, Run
from tests.conftest import Connection


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A place for a server that its own account can enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="mnemo-cli-"))
    folder.chmod(0o755)
    yield folder / "data"
    EmbeddedServer(folder / "data").stop("immediate")
    shutil.rmtree(folder)


def test_life_of_a_server(
    mnemo: Run, mnemo_process: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNEMO_DATA_DIR", str(data_dir))
    monkeypatch.setenv("MNEMO_EMBEDDED__SHARED_BUFFERS", "16MB")
    monkeypatch.setenv("MNEMO_INSTALL__BITS", "1024")
    monkeypatch.setenv("MNEMO_INSTALL__SKETCH_BITS", "256")
    down = mnemo("status", "--json")
    assert (down.code, json.loads(down.out)["running"]) == (3, False)
    assert "mnemo up" in mnemo("status").out
    assert "no server was running" in mnemo("down").out

    done = mnemo("up")
    assert done.code == 0, done.err
    assert "1024 bits, sketches of 256" in done.out
    status = json.loads(mnemo("status", "--json").out)
    assert status["dsn"] in done.out
    assert (status["running"], status["bits"]) == (True, 1024)
    assert status["revision"] == status["newest_revision"]
    with psycopg.connect(status["dsn"]) as connection:
        connection.execute("select mnemo.remember('the heron stands in the reeds')")

    asked = mnemo_process("psql", "-t", "-A", "-c", "select content, mnemo.tenant() from mnemo.memories")
    assert (asked.code, asked.out, asked.err) == (0, "the heron stands in the reeds|default\n", "")
    assert mnemo_process("psql", "--", "-c", "select broken").code == 1
    tenant = mnemo_process("psql", "--tenant", "a b\\c'", "--", "-t", "-A", "-c", "select mnemo.tenant()")
    assert tenant.out == "a b\\c'\n"

    with psycopg.connect(status["dsn"]) as connection:
        connection.execute("select mnemo.remember('the bittern booms at night', key => 'b', tier => 'cold')")
    archived = mnemo("archive", "run", "--now", "--json")
    assert json.loads(archived.out)["memories"] == 1, archived.err
    assert len(list((data_dir / "objects").rglob("*.npy"))) == 1
    (hit,) = json.loads(mnemo("recall", "a bittern at night", "-k", "1", "--archive", "--json").out)["hits"]
    assert (hit["tier"], hit["content"]) == ("archive", "the bittern booms at night")
    assert json.loads(mnemo("restore", "--key", "b", "--json").out)["restored"] == 1
    with psycopg.connect(status["dsn"]) as connection:
        connection.execute("select mnemo.forget(k.id) from mnemo.memory_key k where k.key = 'b'")

    assert "was running already" in mnemo("up").out
    assert "stopped" in mnemo("down").out
    found = mnemo("recall", "a heron in reeds", "--json")
    assert "starting the embedded server" in found.err
    assert json.loads(found.out)["hits"][0]["content"] == "the heron stands in the reeds"
    # It is left running, so nothing is said the second time.
    assert mnemo("recall", "a heron in reeds").err == ""
    assert mnemo("down").code == 0


def test_psql_keeps_the_secret_out_of_the_process_list(
    dsn: str, mnemo_process: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNEMO_DSN", f"{dsn} password=hidden")
    command = "\\! tr '\\0' ' ' < /proc/$PPID/cmdline; echo $PGPASSWORD"
    shown = mnemo_process("psql", "--", "-X", "-c", command)
    assert shown.code == 0, shown.err
    assert shown.out.count("hidden") == 1
    assert "password=" not in shown.out


def test_reader_that_leaves_is_no_error(dsn: str, connection: Connection, environment: None) -> None:
    connection.execute("select mnemo.remember(n || repeat(' word', 20000)) from generate_series(1, 20) n")
    reading, writing = os.pipe()
    arguments = ["recall", "--dsn", dsn, "word", "-k", "20", "--json"]
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        os.close(writing)
        os.close(reading)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert err == ""
