"""Mistakes of a user: one message, an exit code, no traceback, nothing on standard output."""

import io
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run


def _refused(mnemo: Run, code: int, message: str, *arguments: str) -> None:
    done = mnemo(*arguments)
    assert (done.code, done.out) == (code, ""), done
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["x", "-k", "0"], 1, "k must be between 1 and 4096, not 0"),
        (["x", "-k", "100000"], 1, "k must be between 1 and 4096, not 100000"),
        (["x", "-k", "many"], 2, "'many' is not a valid integer"),
        (["x", "--collection", "nope"], 1, "unknown collection 'nope'"),
        (["x", "--where", '{"a": '], 2, "is not JSON"),
        (["x", "--where", "[1]"], 2, "is not a JSON object"),
        (["x", "--where", '{"a": NaN}'], 2, "NaN is no JSON number"),
        (["x", "--where", "[" * 100_000], 2, "is not JSON"),
        (["x", "--where", '{"a": {"$near": 1}}'], 1, "$near"),
        (["x", "--where", '{"a": ["\\u0000"]}'], 2, "holds a NUL character"),
        (["x", "--where", '{"a": {"\\ud800": 1}}'], 2, "is not valid UTF-8"),
        (["  "], 1, "the query is empty"),
        (["a\x00b"], 2, "holds a NUL character"),
        (["caf\udce9"], 2, "is not valid UTF-8 (character 4)"),
        (["x", "--context", "\udcff"], 2, "is not valid UTF-8"),
        (["x", "--where", '{"a": "\udcff"}'], 2, "is not valid UTF-8"),
        ([], 2, "give a TEXT, --embedding-file or --roles"),
        (["x", "--tenant", "a\nb"], 1, "tenant"),
        (["x", "--tenant", "\udcff"], 1, "tenant"),
        (["x", "--preset", "bold"], 2, "'bold' is not one of"),
        (["x", "--data-dir", "d"], 2, "give one of them"),
        (["x", "--config", "none.yaml"], 1, "none.yaml: cannot be read"),
        (["x", "--no-such-flag"], 2, "No such option"),
    ],
)
def test_recall_refuses(mnemo: Run, module_dsn: str, arguments: list[str], code: int, message: str) -> None:
    _refused(mnemo, code, message, "--dsn", module_dsn, "recall", *arguments)


def test_hypervector_files(mnemo: Run, module_dsn: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2_048, np.uint8))
    whole = buffer.getvalue()
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "float.npy", np.zeros(2_048))
    files = {
        "short": b"\0" * 2_047,
        "long": b"\0" * 2_049,
        "empty": b"",
        "huge": b"\0" * 100_000,
        "cut.npy": whole[:-1],
        "head.npy": whole[:9],
        "text.npy": b"not numpy",
        "garbled.npy": whole[:20] + b"\xff" * 200,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        message = "this database stores 16384 bits" if "." not in name else "is not a NumPy array"
        _refused(mnemo, 1, message, "recall", "--dsn", module_dsn, "--hdv-file", str(tmp_path / name))
    for name, message in {"object.npy": "is not a NumPy array", "float.npy": "float64[2048]"}.items():
        _refused(mnemo, 1, message, "recall", "--dsn", module_dsn, "--hdv-file", str(tmp_path / name))
    _refused(mnemo, 2, "does not exist", "recall", "--dsn", module_dsn, "--hdv-file", "nowhere")


@pytest.mark.parametrize("command", [["recall", "x"], ["stats"], ["demo"], ["status"], ["migrate"]])
def test_unreachable_server(mnemo: Run, tmp_path: Path, command: list[str]) -> None:
    _refused(mnemo, 1, "No such file or directory", "--dsn", f"host={tmp_path} user=nobody", *command)


@pytest.mark.parametrize("command", [["recall", "x"], ["stats"], ["demo"]])
def test_database_without_mnemo(mnemo: Run, empty_dsn: str, command: list[str]) -> None:
    _refused(mnemo, 1, "run: mnemo migrate", "--dsn", empty_dsn, *command)


@pytest.mark.parametrize("command", [["up"], ["demo"], ["recall", "x"], ["migrate"]])
def test_directory_that_cannot_be_written(mnemo: Run, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").touch()
    # A folder below a file is refused to root too.
    done = mnemo("--data-dir", str(tmp_path / "file" / "data"), *command)
    assert (done.code, done.out) == (1, "")
    assert str(tmp_path / "file") in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["up", "down"])
def test_server_of_somebody_else(mnemo: Run, empty_dsn: str, command: str) -> None:
    _refused(mnemo, 1, "starts and stops only its own server", command, "--dsn", empty_dsn)


def test_dsn_that_is_none(mnemo: Run) -> None:
    _refused(mnemo, 1, "dsn: must be a connection string", "status", "--dsn", "password=secret oops")
    assert "secret" not in mnemo("status", "--dsn", "password=secret oops").err


def test_debug_shows_where(mnemo: Run, module_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = mnemo("recall", "x", "-k", "0", "--dsn", module_dsn, "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    monkeypatch.setenv("MNEMO_DEBUG", "1")
    assert "Traceback" in mnemo("recall", "x", "-k", "0", "--dsn", module_dsn).err


def test_defect_is_named_in_one_message(mnemo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("cogs")

    monkeypatch.setattr("engine.cli.stats.kept_server", fail)
    _refused(mnemo, 1, "unexpected RuntimeError: cogs", "stats")
