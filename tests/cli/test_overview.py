"""mnemo stats and mnemo top: the numbers they show, and a terminal left as it was."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from rich.console import Console

from engine import Memory, Mnemo
from engine.cli.overview import Overview, Pulse, in_words, policy_in_words
from engine.cli.top import bar, frame
from tests.cli.conftest import PATIENCE_S, PROGRAM, Run

HOT, WARM = 6, 2
HITS = 4
MOVED = 3


@pytest.fixture(scope="module")
def lived(module_dsn: str) -> str:
    """A database with memories, moves, a subscription, a failed job and policies of its own."""

    async def fill() -> None:
        async with Mnemo.open(module_dsn) as mnemo:
            ids = await mnemo.remember_many(Memory(f"n {n}", pinned=n == 0) for n in range(HOT + MOVED))
            await mnemo.remember_many(Memory(f"w {n}", tier="warm") for n in range(WARM))
            await mnemo.demote(ids[-MOVED:], "cold")
            await mnemo.recall("n 1", k=HITS)

    asyncio.run(fill())
    with psycopg.connect(module_dsn, autocommit=True) as connection:
        connection.execute("select mnemo.alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 8}')")
        connection.execute("select mnemo.add_ttl_policy('brief', '2 days', reason => 'for \x1b[31m a test')")
        connection.execute("select mnemo.subscribe('readers', array['memory.write'])")
        connection.execute("select mnemo.fold_accesses()")
        connection.execute("select mnemo.alter_job('predict', '{\"enabled\": false}')")
    return module_dsn


def test_stats_as_json(lived: str, mnemo: Run) -> None:
    done = mnemo("stats", "--json", "--dsn", lived)
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    tiers = {tier["tier"]: tier for tier in said["tiers"]}
    held = [("hot", HOT), ("warm", WARM), ("cold", MOVED), ("archive", 0)]
    assert [(t, tiers[t]["memories"]) for t in tiers] == held
    hot = tiers["hot"]
    assert (hot["capacity_rows"], hot["capacity_used"], hot["target_reached"]) == (8, HOT / 8, True)
    assert (tiers["warm"]["capacity_used"], tiers["warm"]["target_reached"]) == (None, None)
    assert sum(tier["accesses"] for tier in said["tiers"]) == HITS
    assert {job["name"]: job["state"] for job in said["jobs"]}["predict"] == "disabled"
    assert [group["backlog"] for group in said["bus"] if group["subscription"] == "readers"] == [0]
    assert {policy["name"] for policy in said["policies"]} >= {"hot-capacity", "hot-decay", "brief"}


def test_stats_as_tables(lived: str, mnemo: Run) -> None:
    lines = mnemo("stats", "--dsn", lived).out.splitlines()
    assert lines[0].split() == ["tier", "hot", "warm", "cold", "archive"]
    hot = {line.split()[0]: line.split()[1] for line in lines[1 : lines.index("")]}
    assert (hot["memories"], hot["pinned"], hot["used"], hot["target"]) == (str(HOT), "1", "75.0%", "reached")
    assert next(line for line in lines if line.startswith("predict ")).split()[1] == "disabled"
    assert "any tier: forgotten after 2 days" in next(line for line in lines if line.startswith("brief "))
    assert "hot -> warm: at most 8 memories, lru leave" in "\n".join(lines)


@pytest.mark.parametrize("arguments", [[], ["--once"]])
def test_top_prints_one_frame_where_there_is_no_terminal(
    lived: str, mnemo: Run, arguments: list[str]
) -> None:
    done = mnemo("top", *arguments, "--dsn", lived)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    assert f"accesses/s -   moves/min {MOVED}" in lines[0]
    hot = next(line for line in lines if line.startswith("hot "))
    assert hot.split()[:4] == ["hot", "█" * 9 + "·" * 3, "75%", str(HOT)]
    assert any(line.split()[0:1] == ["disabled"] and "predict" in line for line in lines)
    assert any(f"hot -> cold  {MOVED}  called" in line for line in lines)
    assert any("brief: for " in line for line in lines)


@pytest.mark.parametrize("ending", [b"q", signal.SIGINT, signal.SIGTERM])
def test_top_ends_on_q_and_on_signals_and_leaves_the_terminal_as_it_was(
    lived: str, environment: None, ending: bytes | signal.Signals
) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [*PROGRAM, "--dsn", lived, "top"],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    try:
        _read_until(ours, b"accesses/s")
        if isinstance(ending, bytes):
            os.write(ours, ending)
        else:
            process.send_signal(ending)
        # What the terminal was sent must be read, or the process would wait for it.
        _read_until(ours, b"\x1b[?1049l")
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        for stream in (ours, theirs):
            os.close(stream)
        if process.stderr is not None:
            process.stderr.close()


def _read_until(stream: int, wanted: bytes) -> None:
    seen, until = b"", time.monotonic() + PATIENCE_S
    while wanted not in seen:
        assert select.select([stream], [], [], until - time.monotonic())[0], seen
        seen += os.read(stream, 65_536)


def test_rates_are_those_between_two_frames() -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    nothing = Overview([], [], [], [])

    def shown(accesses: int, seconds: int) -> str:
        console = Console(width=100, file=open(os.devnull, "w"), record=True)  # noqa: PTH123, SIM115
        now = Pulse(start + timedelta(seconds=seconds), accesses, 0, [], [])
        console.print(frame(nothing, now, Pulse(start, 100, 0, [], [])))
        console.file.close()
        return console.export_text().split("accesses/s ")[1].split()[0]

    assert shown(130, 4) == "7.5"
    # Forgotten memories take uncounted accesses along; a clock that stands still gives no rate.
    assert shown(90, 4) == "0.0"
    assert shown(130, 0) == "-"


def test_bars_and_words() -> None:
    assert [bar(share).plain for share in (None, 0.0, 0.5, 1.5)] == [
        "-", "·" * 12 + "   0%", "█" * 6 + "·" * 6 + "  50%", "█" * 12 + " 150%",
    ]  # fmt: skip
    assert [in_words(timedelta(seconds=s)) for s in (2, 60, 5_400, 86_400, 172_800)] == [
        "2 seconds", "1 minute", "90 minutes", "1 day", "2 days",
    ]  # fmt: skip


DAY = timedelta(days=1)
EMPTY = dict.fromkeys(
    (
        "kind", "tier", "to_tier", "collection", "rule", "threshold", "after", "accesses", "within",
        "capacity_rows", "capacity_bytes",
    )
)  # fmt: skip
DOWN, UP = {"tier": "hot", "to_tier": "warm"}, {"tier": "cold", "to_tier": "hot"}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (DOWN | {"kind": "tier", "rule": "idle", "after": DAY}, "hot -> warm: unused for 1 day"),
        (DOWN | {"kind": "tier", "rule": "ltp"}, "hot -> warm: strength below the threshold"),
        (
            UP | {"kind": "promotion", "rule": "ltp", "threshold": 0.5, "collection": "facts"},
            "cold -> hot in facts: strength from 0.5 on",
        ),
        (
            UP | {"kind": "promotion", "rule": "accesses", "accesses": 5, "within": DAY},
            "cold -> hot: 5 accesses, the last within 1 day",
        ),
        (
            DOWN | {"kind": "eviction", "rule": "lfu", "capacity_rows": 1_000, "capacity_bytes": 2**20},
            "hot -> warm: at most 1,000 memories and 1.0 MB, lfu leave",
        ),
        ({"kind": "ttl", "rule": "age", "after": DAY}, "any tier: forgotten after 1 day"),
        (
            {"kind": "archive", "rule": "idle", "tier": "cold", "after": 30 * DAY},
            "cold -> archive: segments unused for 30 days",
        ),
        ({"kind": "copy", "rule": "age", "after": DAY}, "any tier: copied within 1 day"),
    ],
)
def test_policies_are_put_in_words(policy: dict[str, Any], words: str) -> None:
    assert policy_in_words({**EMPTY, **policy}) == words
