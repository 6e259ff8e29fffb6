"""A tier whose files cannot be read is left out of answers, and said to be (H10, N4)."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from rich.console import Console

from engine import Mnemo
from engine.cli.output import print_recall, recall_as_json
from engine.config import Settings
from engine.errors import MnemoError
from engine.memory import MemoryId
from tests.resilience.conftest import BITS, TIERS, OwnServer
from tests.support.memories import Draft, bit_text, brute_force, remember_all

Connection = psycopg.Connection[tuple[Any, ...]]
VECTORS = np.random.default_rng(1).integers(0, 256, (300, BITS // 8), np.uint8)
TIER_OF = [TIERS[n % 3] for n in range(300)]
FILE = "select current_setting('data_directory') || '/' || pg_relation_filepath('mnemo.{}')"
PARTITIONS = {"hot": "memory_hot", "warm": "memory_warm", "cold": "memory_cold_2"}


class Stored:
    """300 memories in three tiers, each in a tablespace of its own."""

    def __init__(self, server: OwnServer) -> None:
        self.server = server
        self.dsn = server.database(tablespaces=True)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            drafts = [
                Draft(f"memory {n}", vector, tier=tier, context="task")
                for n, (vector, tier) in enumerate(zip(VECTORS, TIER_OF, strict=True))
            ]
            self.ids = [MemoryId(one) for one in remember_all(connection, drafts)]
            connection.execute("create extension pg_buffercache")
            # Of the statements below each must open the files anew: the server has let go of them.
            connection.execute("checkpoint")

    def nearest(self, query: int, k: int, *tiers: str) -> list[UUID]:
        """Return the answer without the other tiers, by brute force."""
        there = [n for n, tier in enumerate(TIER_OF) if tier in tiers]
        found = brute_force(VECTORS[query], VECTORS[there], [self.ids[n] for n in there], k)
        return [memory for _, memory in found]

    def harm(self, tier: str, how: str) -> Callable[[], None]:
        """Damage a tier; return what undoes it."""
        place = f"{self.server.root}/{tier}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            row = connection.execute(FILE.format(PARTITIONS[tier]).encode()).fetchone()
            assert row is not None
            file = row[0]
            if how in ("overwritten", "cut off"):
                connection.execute(
                    f"select pg_buffercache_evict_relation('mnemo.{PARTITIONS[tier]}')".encode()
                )
        do, undo = {
            "gone": (f"mv {place} {place}.gone", f"mv {place}.gone {place}"),
            "locked": (f"chmod 000 {place}", f"chmod 700 {place}"),
            "overwritten": (
                f"cp {file} {file}.kept; dd if=/dev/zero bs=8192 count=9 | tr \\\\000 x |"
                f" dd of={file} conv=notrunc 2>/dev/null",
                f"cat {file}.kept > {file}; rm {file}.kept",
            ),
            "cut off": (f"cp {file} {file}.kept; truncate -s 8192 {file}", f"cat {file}.kept > {file}"),
        }[how]
        self.server.shell(do)
        return lambda: self.server.shell(undo)


@pytest.fixture(scope="module")
def stored(own_server: OwnServer) -> Stored:
    """Made once; what a test damages it mends."""
    return Stored(own_server)


@pytest.fixture
def harm(stored: Stored) -> Iterator[Callable[[str, str], None]]:
    """Damages a tier until the test ends."""
    undo: list[Callable[[], None]] = []
    yield lambda tier, how: undo.append(stored.harm(tier, how))
    for mend in undo:
        mend()


@pytest.mark.parametrize("how", ["gone", "locked", "overwritten", "cut off"])
@pytest.mark.parametrize("tier", ["warm", "hot"])
async def test_n4_the_other_tiers_answer(
    stored: Stored, harm: Callable[[str, str], None], tier: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(tier, how)
    others = [one for one in TIERS if one != tier]
    async with Mnemo.open(stored.dsn) as mnemo:
        for ask in (mnemo.recall, mnemo.search):
            for options in ({}, {"exact": True}, {"context": "task"}):
                recall = await ask(VECTORS[1], k=20, **options)
                assert [hit.memory_id for hit in recall] == stored.nearest(1, 20, *others)
                assert recall.unreachable == (tier,)
    assert recall_as_json(recall)["unreachable"] == [tier]
    print_recall(Console(), recall)
    assert f"{tier} could not be read: memories there are missing here" in capsys.readouterr().err


async def test_n4_mended_the_tier_answers_again(stored: Stored) -> None:
    stored.harm("warm", "gone")()
    async with Mnemo.open(stored.dsn) as mnemo:
        recall = await mnemo.recall(VECTORS[1], k=20)
    assert recall.unreachable == ()
    assert [hit.memory_id for hit in recall] == stored.nearest(1, 20, *TIERS)


async def test_n4_a_tier_that_no_search_needs_is_not_missed(
    stored: Stored, harm: Callable[[str, str], None]
) -> None:
    """Confident in the hot tier: the others are not asked, nor are their files opened for the hits."""
    for tier in ("warm", "cold"):
        harm(tier, "gone")
    async with Mnemo.open(stored.dsn) as mnemo:
        recall = await mnemo.recall(VECTORS[0], k=1)
        assert ([hit.memory_id for hit in recall], recall.unreachable) == ([stored.ids[0]], ())
        both = await mnemo.recall(VECTORS[0], k=5)
        assert both.unreachable == ("warm", "cold")
        assert [hit.memory_id for hit in both] == stored.nearest(0, 5, "hot")


async def test_n4_all_tiers_gone_is_no_answer_but_says_so(
    stored: Stored, harm: Callable[[str, str], None]
) -> None:
    for tier in TIERS:
        harm(tier, "gone")
    async with Mnemo.open(stored.dsn) as mnemo:
        recall = await mnemo.recall(VECTORS[0], k=5)
        assert (list(recall), recall.unreachable) == ([], TIERS)


@pytest.mark.parametrize("how", ["gone", "overwritten"])
async def test_n4_a_write_to_a_broken_tier_fails_and_changes_nothing(stored: Stored, how: str) -> None:
    mend = stored.harm("warm", how)
    try:
        async with Mnemo.open(stored.dsn) as mnemo:
            with pytest.raises(MnemoError):
                await mnemo.promote([stored.ids[1]], "hot")
            if how == "gone":
                with pytest.raises(MnemoError, match="No such file"):
                    await mnemo.remember("lost?", tier="warm")
                with pytest.raises(MnemoError, match="No such file"):
                    await mnemo.demote([stored.ids[0]], "warm")
    finally:
        mend()
    async with Mnemo.open(stored.dsn) as mnemo:
        assert await mnemo.count() == 300
        assert [hit.tier for hit in await mnemo.recall(VECTORS[1], k=1)] == ["warm"]
        assert [hit.tier for hit in await mnemo.recall(VECTORS[0], k=1)] == ["hot"]


async def test_n4_what_is_predicted_in_a_broken_tier_is_left_out(
    stored: Stored, harm: Callable[[str, str], None]
) -> None:
    with psycopg.connect(stored.dsn, autocommit=True) as connection:
        connection.execute(
            "insert into mnemo.access_log (at, memory_ids, context) values (now(), %s, 'task')",
            [[stored.ids[0], stored.ids[1]]],
        )
        connection.execute("select mnemo.fold_accesses()")
    try:
        harm("warm", "gone")
        async with Mnemo.open(stored.dsn) as mnemo:
            recall = await mnemo.recall(VECTORS[0], k=1, context="task")
        assert ([hit.memory_id for hit in recall], recall.unreachable) == ([stored.ids[0]], ("warm",))
    finally:
        with psycopg.connect(stored.dsn, autocommit=True) as connection:
            connection.execute("truncate mnemo.focus, mnemo.association")


def test_n4_a_privilege_that_is_missing_is_an_error_and_no_broken_tier(stored: Stored) -> None:
    with psycopg.connect(stored.dsn) as connection:
        connection.execute("create role reader")
        connection.execute("grant usage on schema mnemo to reader")
        connection.execute("set local role reader")
        denied = "permission denied for function search"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=denied):
            connection.execute("select * from mnemo.search(%s::varbit)", [bit_text(VECTORS[0])])


async def test_n4_warnings_reach_a_client_that_asks_for_less(
    stored: Stored, harm: Callable[[str, str], None]
) -> None:
    """A role may have set client_min_messages to error: the pool asks for warnings all the same."""
    harm("warm", "gone")
    settings = Settings(dsn=f"{stored.dsn} options='-c client_min_messages=error'")
    async with Mnemo.open(settings=settings) as mnemo:
        assert (await mnemo.search(VECTORS[0], k=5)).unreachable == ("warm",)
