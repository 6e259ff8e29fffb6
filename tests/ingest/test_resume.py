"""Each record once, wherever an ingest was cut off, whoever else reads the same file."""

import asyncio
import io
import itertools
import json
import sys
from pathlib import Path

import pytest

from engine.errors import IngestConflict, InvalidArgument
from tests.ingest.conftest import Desk, Report, write_lines


class Cut(Exception):  # noqa: N818
    """The end of a client in the middle of its work."""


def cut_after(batches: int) -> Report:
    """Return a report that ends the ingest when so many batches are stored."""
    stored = itertools.count(1)

    def count(records: int) -> None:
        if next(stored) == batches:
            raise Cut

    return Report(on_advance=count)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of 100 rows, none with a key."""
    return write_lines(tmp_path / "rows.txt", (f"row {i:03}" for i in range(100)))


ALL = [f"row {i:03}" for i in range(100)]


@pytest.mark.parametrize("batches", [1, 4, 10])
async def test_started_again_it_goes_on_after_the_last_batch(desk: Desk, rows: Path, batches: int) -> None:
    with pytest.raises(Cut):
        await desk.ingest(rows, cut_after(batches), batch_rows=10)
    assert desk.contents() == ALL[: 10 * batches]
    report = Report()
    outcome = await desk.ingest(rows, report, batch_rows=7)
    assert (outcome.before, outcome.stored) == (10 * batches, 100 - 10 * batches)
    assert desk.contents() == ALL
    assert (await desk.ingest(rows)).before == 100
    assert desk.contents() == ALL


async def test_a_copy_of_the_file_is_the_same_source_and_a_changed_one_is_not(
    desk: Desk, rows: Path, tmp_path: Path
) -> None:
    await desk.ingest(rows)
    copy = write_lines(tmp_path / "copy.txt", ALL)
    assert (await desk.ingest(copy)).stored == 0
    write_lines(copy, [*ALL, "one more"])
    assert (await desk.ingest(copy)).stored == 101


async def test_what_changes_the_rows_makes_another_source(desk: Desk, rows: Path) -> None:
    for plan in ({}, {"context": "c"}, {"tier": "warm"}, {"collection": "x", "create_collection": True}):
        assert (await desk.ingest(rows, limit=5, **plan)).stored == 5
    assert (await desk.ingest(rows, limit=5, resume=False)).stored == 5


async def test_a_limit_counts_from_the_start_of_the_file(desk: Desk, rows: Path) -> None:
    for limit, stored in ((25, 25), (25, 0), (40, 15), (30, 0), (None, 60)):
        assert (await desk.ingest(rows, limit=limit, batch_rows=10)).stored == stored
    assert desk.contents() == ALL


async def test_skipped_records_count_for_the_place_where_it_goes_on(desk: Desk, tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"row {i}"}) if i % 3 else "{" for i in range(40)]
    path = write_lines(tmp_path / "rows.jsonl", lines)
    with pytest.raises(Cut):
        await desk.ingest(path, cut_after(5), batch_rows=4, skip_bad=True)
    outcome = await desk.ingest(path, batch_rows=4, skip_bad=True)
    assert (outcome.before, outcome.stored, outcome.skipped) == (20, 13, 7)
    assert desk.contents() == sorted(f"row {i}" for i in range(40) if i % 3)


async def test_a_bulk_load_that_is_cut_off_leaves_nothing_and_can_be_done_again(
    desk: Desk, rows: Path
) -> None:
    with pytest.raises(Cut):
        await desk.ingest(rows, cut_after(3), batch_rows=10, bulk=True)
    assert desk.contents() == []
    assert (await desk.ingest(rows, bulk=True, batch_rows=10)).stored == 100
    assert (await desk.ingest(rows, bulk=True)).before == 100
    assert desk.contents() == ALL


async def test_two_readers_of_one_file_store_each_record_once(desk: Desk, rows: Path) -> None:
    outcomes = await asyncio.gather(
        *(desk.ingest(rows, batch_rows=5) for _ in range(3)), return_exceptions=True
    )
    conflicts = [o for o in outcomes if isinstance(o, IngestConflict)]
    assert len(conflicts) + sum(not isinstance(o, BaseException) for o in outcomes) == 3
    assert all("is being stored by another process too" in str(conflict) for conflict in conflicts)
    # The one that won the last batch went through to the end, unless each lost one to another.
    await desk.ingest(rows)
    assert desk.contents() == ALL


async def test_the_loser_of_a_race_stops_and_says_so(desk: Desk, rows: Path) -> None:
    def overtake(records: int) -> None:
        desk.query(
            "select mnemo.advance_ingest(source, collection, position, position + 5) from mnemo.ingest"
        )

    with pytest.raises(IngestConflict, match=r"this one stored 10 memories of it, and none twice"):
        await desk.ingest(rows, Report(on_advance=overtake), batch_rows=10)
    assert desk.contents() == ALL[:10]


@pytest.mark.parametrize(
    ("content", "error", "left"),
    [(b"a\nb\n", None, ["a", "b"]), (b"a\nb\nc\n\xff\n", "standard input:4: not valid UTF-8", ["a", "b"])],
)
async def test_standard_input_is_read_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, content: bytes, error: str | None, left: list[str]
) -> None:
    def feed() -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    feed()
    if error is None:
        assert (await desk.ingest(None, format="txt", batch_rows=2)).stored == 2
    else:
        with pytest.raises(InvalidArgument, match=error) as raised:
            await desk.ingest(None, format="txt", batch_rows=2)
        assert raised.value.__notes__ == ["2 memories of what came before are stored"]
    assert desk.contents() == left
    assert desk.query("select * from mnemo.ingest") == []


async def test_embeddings_and_standard_input_do_not_go_together(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="--embeddings needs a file of rows"):
        await desk.ingest(None, format="txt", embeddings=tmp_path / "e.npy")
