"""mnemo migrate: installing, settings, the offline script, going back."""

import psycopg
import pytest

from tests.cli.conftest import Run

HALF_LIFE = "select value from mnemo.setting where name = 'half_life_days'"


def test_install_configure_refuse_remove(mnemo: Run, empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMO_DSN", empty_dsn)
    done = mnemo("status")
    assert (done.code, "run: mnemo migrate" in done.out) == (0, True)

    done = mnemo("migrate", "--bits", "1000")
    assert (done.code, done.out) == (1, "")
    assert "bits = 1000 is not possible" in done.err

    done = mnemo("migrate", "--bits", "2048", "--sketch-bits", "512")
    assert (done.code, done.err) == (0, "")
    assert "2048 bits, sketches of 512" in done.out
    assert "already" in mnemo("migrate").out

    done = mnemo("migrate", "--bits", "4096")
    assert done.code == 1
    assert "2048" in done.err
    monkeypatch.setenv("MNEMO_INSTALL__SKETCH_BITS", "64")
    assert mnemo("migrate").code == 1
    monkeypatch.delenv("MNEMO_INSTALL__SKETCH_BITS")

    assert "set half_life_days to 90" in mnemo("migrate", "--preset", "conservative").out
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        assert connection.execute(HALF_LIFE).fetchone() == (90,)
        assert "set" not in mnemo("migrate").out
        assert connection.execute(HALF_LIFE).fetchone() == (90,)
        connection.execute("select mnemo.remember('kept')")

    done = mnemo("migrate", "--downgrade", "base")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert mnemo("migrate", "--downgrade", "base", "--force").code == 0
    assert "no Mnemo" in mnemo("status").out


def test_offline_script_needs_no_server(mnemo: Run) -> None:
    done = mnemo("migrate", "--sql", "--bits", "1024", "--sketch-bits", "64", "--dsn", "host=/nowhere")
    assert done.code == 0
    assert "bit(1024)" in done.out
    refused = mnemo("migrate", "--sql", "--bits", "0")
    assert (refused.code, refused.out) == (1, "")


@pytest.mark.parametrize(
    "arguments", [["--force"], ["--downgrade", "base", "--sql"], ["--downgrade", "base", "--bits", "64"]]
)
def test_flags_that_do_not_go_together(mnemo: Run, arguments: list[str]) -> None:
    assert mnemo("migrate", *arguments).code == 2


def test_unknown_revision(mnemo: Run, empty_dsn: str) -> None:
    done = mnemo("migrate", "--dsn", empty_dsn, "--revision", "9999")
    assert done.code == 1
    assert "9999" in done.err
