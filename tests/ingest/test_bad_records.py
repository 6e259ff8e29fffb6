"""Records that cannot be memories: named, and either nothing is stored or all but them."""

import gzip
import json
from pathlib import Path

import pytest

from engine.errors import InvalidArgument
from tests.ingest.conftest import Desk, Report, write_lines

BAD = {
    "not JSON: Expecting ',' delimiter": b'{"text": "a" "b"}',
    "not JSON: Expecting ',' delimiter (column 15)": b'{"text": "cut"',
    "a JSON list, not an object": b"[1]",
    "there is no field content or text": b'{"body": "a"}',
    "text is empty": b'{"text": "  "}',
    "text is int, not text": b'{"text": 5}',
    "text holds a NUL character": b'{"text": "a\\u0000"}',
    "text is not valid UTF-8": b'{"text": "\\ud800"}',
    "not valid UTF-8 (byte 11 of the line)": b'{"text": "\xff"}',
    "text has 1000001 bytes, at most 1000000 are kept": b'{"text": "%s"}' % (b"a" * 1_000_001),
    "id has 1001 bytes": b'{"text": "a", "id": "%s"}' % (b"k" * 1001),
    "id is bool, not text or a whole number": b'{"text": "a", "id": true}',
    "occurred_at is 'noon', not a time": b'{"text": "a", "occurred_at": "noon"}',
    "not JSON: NaN is no JSON number": b'{"text": "a", "x": NaN}',
    "an attribute is no JSON": b'{"text": "a", "x": 1e999}',
    "an attribute holds a NUL": b'{"text": "a", "x": "\\u0000"}',
    "'x' is both a field and an attribute": b'{"text": "a", "x": 1, "attributes": {"x": 2}}',
    "attributes is list, not a JSON object": b'{"text": "a", "attributes": [1]}',
}


@pytest.mark.parametrize("reason", BAD)
async def test_a_bad_record_stops_before_anything_is_stored(desk: Desk, tmp_path: Path, reason: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "good"}\n\n' + BAD[reason] + b'\n{"text": "also"}\n')
    with pytest.raises(InvalidArgument) as raised:
        await desk.ingest(path, batch_rows=1)
    assert str(raised.value).startswith(f"{path}:3: {reason}")
    assert raised.value.__notes__ == ["nothing was stored"]
    assert desk.contents() == []


async def test_skipping_stores_all_but_the_bad_and_counts_records(desk: Desk, tmp_path: Path) -> None:
    good = [b'{"text": "good %d"}' % i for i in range(len(BAD) + 1)]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b"\n".join(line for pair in zip(good, [*BAD.values(), b""], strict=True) for line in pair)
    )
    report = Report()
    outcome = await desk.ingest(path, report, skip_bad=True, batch_rows=4)
    assert (outcome.stored, outcome.skipped) == (len(BAD) + 1, len(BAD))
    assert [place for place, _ in report.skips] == [f"rows.jsonl:{2 * i + 2}" for i in range(len(BAD))]
    assert all(reason.startswith(wanted) for (_, reason), wanted in zip(report.skips, BAD, strict=True))
    assert report.totals[-1] == ("storing", 0, 2 * len(BAD) + 1)
    assert report.advanced == 2 * len(BAD) + 1
    assert (await desk.ingest(path, skip_bad=True)).before == 2 * len(BAD) + 1


def _with_what_only_the_database_refuses(desk: Desk, tmp_path: Path) -> Path:
    # Which attributes take no arrays is not known before the rows arrive there.
    desk.query("select mnemo.index_attribute('size', 'number')")
    rows = [{"text": f"row {i}", "size": [i] if i in (3, 4, 8) else i} for i in range(12)]
    return write_lines(tmp_path / "rows.jsonl", map(json.dumps, rows))


async def test_what_only_the_database_refuses_is_named_by_its_line(desk: Desk, tmp_path: Path) -> None:
    path = _with_what_only_the_database_refuses(desk, tmp_path)
    with pytest.raises(InvalidArgument) as raised:
        await desk.ingest(path, batch_rows=6)
    assert str(raised.value) == f"{path}:4: attribute 'size' is indexed and takes no array"
    assert raised.value.__notes__[0].startswith("3 memories of what came before are stored")
    report = Report()
    outcome = await desk.ingest(path, report, batch_rows=6, skip_bad=True)
    assert (outcome.before, outcome.stored, outcome.skipped) == (3, 6, 3)
    assert [place for place, _ in report.skips] == ["rows.jsonl:4", "rows.jsonl:5", "rows.jsonl:9"]
    assert desk.contents() == sorted(f"row {i}" for i in range(12) if i not in (3, 4, 8))


async def test_a_bulk_load_is_all_or_nothing_and_says_where_to_look(desk: Desk, tmp_path: Path) -> None:
    path = _with_what_only_the_database_refuses(desk, tmp_path)
    with pytest.raises(InvalidArgument) as raised:
        await desk.ingest(path, batch_rows=6, bulk=True)
    assert raised.value.__notes__ == [f"in records 1 to 6 of {path}", "nothing was stored"]
    assert desk.contents() == []
    assert desk.query("select * from mnemo.ingest") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"a,b\n1,2\n", "no column content or text; the header names a, b"),
        ("rows.csv", b"", "the header names nothing"),
        ("rows.csv", b"text,a,a\n", "names the column 'a' twice"),
        ("rows.csv", b"text\nfine\nx,y\n", "rows.csv:3: 2 fields where the header names 1"),
        ("rows.csv", b'text\n"a"b\n', "rows.csv:2: not CSV"),
        ("rows.csv", b"text\n\xff\n", "rows.csv:2: text is not valid UTF-8"),
        ("rows.jsonl.gz", b"plain", "rows.jsonl.gz is damaged"),
        ("rows.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 9)[:-9], "rows.jsonl.gz is damaged"),
        ("rows.parquet", b"PAR1", "rows.parquet is no readable parquet"),
        ("rows.docx", b"", "the name does not say a format"),
    ],
)
async def test_a_file_that_is_not_what_it_should_be(
    desk: Desk, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidArgument, match=message):
        await desk.ingest(tmp_path / name)
    assert desk.contents() == []


async def test_a_line_without_end_does_not_fill_the_memory(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.ingest.readers.MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "rows.txt"
    path.write_bytes(b"x" * (3 << 20) + b"\nnext\n")
    report = Report()
    await desk.ingest(path, report, skip_bad=True)
    assert report.skips == [("rows.txt:1", "the line is longer than 1 MB")]
    assert desk.contents() == ["next"]


async def test_a_file_that_changes_while_it_is_read_stops_the_work(desk: Desk, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.txt", (f"row {i}" for i in range(100)))

    def change(records: int) -> None:
        write_lines(path, ["other"])

    report = Report(on_advance=change)
    with pytest.raises(InvalidArgument, match="was changed while it was read"):
        await desk.ingest(path, report, batch_rows=10)
    assert len(desk.contents()) % 10 == 0
