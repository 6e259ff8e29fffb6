"""What a row of each format becomes."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from engine.errors import InvalidArgument, InvalidEmbedding, UnknownCollection
from engine.ingest import FieldNames
from tests.ingest.conftest import Desk, Report, write_lines

_ALL = (
    "select content, key, context, session, occurred_at, attributes, tier"
    " from mnemo.memories order by content"
)
_NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)


async def test_a_json_row_fills_every_part_and_leaves_the_rest_to_attributes(
    desk: Desk, tmp_path: Path
) -> None:
    rows = [
        {
            "text": "b",
            "id": 7,
            "context": "c",
            "session": 2,
            "date": "2025-01-31T13:00+01:00",
            "attributes": {"x": [1, {"y": None}]},
            "speaker": "Ada",
            "null": None,
        },
        {"content": "a", "text": "kept", "date": "a warm day in May", "occurred_at": None},
    ]
    path = write_lines(tmp_path / "rows.jsonl", ["\ufeff" + json.dumps(rows[0]), "", json.dumps(rows[1])])
    outcome = await desk.ingest(path, context="default", tier="warm")
    assert (outcome.stored, outcome.skipped, outcome.before) == (2, 0, 0)
    a, b = desk.query(_ALL)
    assert b == ("b", "7", "c", "2", _NOON, {"speaker": "Ada", "x": [1, {"y": None}]}, "warm")
    assert a[:4] == ("a", None, "default", None)
    assert a[5] == {"text": "kept", "date": "a warm day in May"}


async def test_csv_keeps_quotes_lines_and_leaves_empty_cells_out(desk: Desk, tmp_path: Path) -> None:
    text = 'id,text,date,note,\r\n1,"two\r\nlines, ""quoted""",2025-01-31,,x\r\n\r\n2,plain,,kept\r\n'
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    await desk.ingest(path)
    plain, quoted = desk.query(_ALL)
    assert quoted[0] == 'two\r\nlines, "quoted"'
    assert quoted[4:6] == (datetime(2025, 1, 31, tzinfo=UTC), {"column_5": "x"})
    assert (plain[1], plain[5]) == ("2", {"note": "kept"})


async def test_fields_can_be_named(desk: Desk, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.csv", ["body,content,code", "the text,other,k"])
    await desk.ingest(path, names=FieldNames(content=("body",), key=("code",)))
    ((content, key, *_, attributes, _tier),) = desk.query(_ALL)
    assert (content, key, attributes) == ("the text", "k", {"content": "other"})


async def test_txt_is_a_memory_a_line(desk: Desk, tmp_path: Path) -> None:
    await desk.ingest(write_lines(tmp_path / "rows.txt", ["  größer ", "", "zweite Zeile"]))
    assert desk.contents() == ["größer", "zweite Zeile"]


async def test_parquet_values_become_json(desk: Desk, tmp_path: Path) -> None:
    table = arrow.table(
        {
            "content": [f"row {i}" for i in range(2500)],
            "occurred_at": [_NOON] * 2500,
            "day": [_NOON.date()] * 2500,
            "tags": [["x", "y"]] * 2500,
            "none": arrow.nulls(2500),
        }
    )
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=700)
    outcome = await desk.ingest(tmp_path / "rows.parquet", limit=2100)
    assert outcome.stored == 2100
    assert desk.query("select occurred_at, attributes, count(*) from mnemo.memories group by 1, 2") == [
        (_NOON, {"day": "2025-01-31", "tags": ["x", "y"]}, 2100)
    ]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
async def test_row_i_of_the_embeddings_belongs_to_record_i(
    desk: Desk, tmp_path: Path, kind: type[np.floating]
) -> None:
    vectors = np.random.default_rng(3).normal(size=(2500, 7)).astype(kind)
    np.save(tmp_path / "e.npy", vectors)
    path = write_lines(tmp_path / "rows.txt", (f"row {i}" for i in range(2500)))
    await desk.ingest(
        path, embeddings=tmp_path / "e.npy", bulk=True, collection="new", create_collection=True
    )
    stored: dict[str, bytes] = dict(
        desk.query("select content, embedding from mnemo.memory where collection = 'new'")
    )
    largest = np.abs(vectors.astype(np.float32)).max(axis=1, keepdims=True).astype(np.float64)
    expected = np.rint(127 * vectors.astype(np.float32).astype(np.float64) / largest).astype(np.int8)
    assert len(stored) == 2500
    assert all(stored[f"row {i}"] == expected[i].tobytes() for i in range(2500))


async def test_embeddings_can_lie_in_the_rows(desk: Desk, tmp_path: Path) -> None:
    rows = [{"text": "a", "embedding": [1, -2.5]}, {"text": "b", "embedding": [1]}]
    path = write_lines(tmp_path / "rows.jsonl", map(json.dumps, rows))
    report = Report()
    await desk.ingest(path, report, skip_bad=True)
    assert desk.contents() == ["a"]
    assert report.skips == [("rows.jsonl:2", "embedding has 1 dimensions, collection 'memories' takes 2")]


async def test_an_unknown_collection_is_not_made_unasked(desk: Desk, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.txt", ["a"])
    with pytest.raises(UnknownCollection, match="'elsewhere'"):
        await desk.ingest(path, collection="elsewhere")
    assert (await desk.ingest(path, collection="elsewhere", create_collection=True)).stored == 1


def _save(path: Path, array: object, cut: int = 0) -> None:
    np.save(path, np.asarray(array), allow_pickle=True)
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])


@pytest.mark.parametrize(
    ("array", "cut", "message"),
    [
        (np.ones((2, 3)), 0, r"e\.npy has 2 rows, .*rows\.txt has 3"),
        (np.ones((3, 3)), 8, r"e\.npy is damaged: 3 rows of 3 take 72 bytes, it has 64"),
        (np.ones((3, 3), object), 0, "holds pickled Python objects, which are never loaded"),
        (np.ones((3, 3), np.int8), 0, r"holds int8\[3, 3\], not float16, float32 or float64 \[n, d\]"),
        (np.ones(3), 0, r"holds float64\[3\]"),
        (np.ones((3, 3), order="F"), 0, "is stored by columns"),
        (
            np.array([[1.0, 2], [1, np.nan], [1, 1]]),
            0,
            r"rows\.txt:2: row 1 of .*e\.npy holds NaN or infinity",
        ),
        (np.array([[1.0, 2], [1, 1], [0, 0]]), 0, r"rows\.txt:3: row 2 of .*e\.npy is all zero"),
        (np.array([[1.0, 2], [1, 1e300], [1, 1]]), 0, r"row 1 of .*e\.npy holds NaN or infinity"),
    ],
)
async def test_embeddings_that_cannot_be_used_change_nothing(
    desk: Desk, tmp_path: Path, array: object, cut: int, message: str
) -> None:
    _save(tmp_path / "e.npy", array, cut)
    path = write_lines(tmp_path / "rows.txt", ["a", "b", "c"])
    with pytest.raises((InvalidEmbedding, InvalidArgument), match=message):
        await desk.ingest(path, embeddings=tmp_path / "e.npy", collection="new", create_collection=True)
    assert desk.contents() == []


async def test_what_is_no_array_is_refused(desk: Desk, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.txt", ["a"])
    (tmp_path / "e.npy").write_bytes(b"\x80\x04.")
    with pytest.raises(InvalidEmbedding, match=r"e\.npy is not a NumPy array"):
        await desk.ingest(path, embeddings=tmp_path / "e.npy")


async def test_embeddings_of_another_dimension_are_refused_before_any_row(desk: Desk, tmp_path: Path) -> None:
    desk.query("select mnemo.create_collection('two', dimension => 2)")
    np.save(tmp_path / "e.npy", np.ones((1, 3)))
    with pytest.raises(InvalidEmbedding, match=r"e\.npy has 3 dimensions, collection 'two' takes 2"):
        await desk.ingest(
            write_lines(tmp_path / "rows.txt", ["a"]), collection="two", embeddings=tmp_path / "e.npy"
        )


async def test_scores_are_a_field_of_every_format(desk: Desk, tmp_path: Path) -> None:
    scores = {"significance": 1, "tags": ["x"]}
    scored = {"scores": {**scores, "importance": 1, "spark": 1}}
    rows = [
        {"text": "a", "scores": scores},
        {"text": "b", "scores": [3, 1]},
        {"text": "c", "attributes": {"scores": scores}},
    ]
    await desk.ingest(write_lines(tmp_path / "rows.jsonl", map(json.dumps, rows)))
    cell = '"' + json.dumps(scores).replace('"', '""') + '"'
    await desk.ingest(write_lines(tmp_path / "rows.csv", ["text,scores", f"d,{cell}", "e,3:1"]))
    table = arrow.table({"text": ["f"], "scores": [{"significance": 1.0, "relevance": None, "tags": ["x"]}]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    await desk.ingest(tmp_path / "rows.parquet")
    stored = {content: (attributes, strength) for content, attributes, strength in desk.query(
        "select content, attributes, strength::numeric(3, 2)::float8 from mnemo.memories")}  # fmt: skip
    assert stored == {
        **dict.fromkeys("acdf", (scored, 1.0)),
        "b": ({"scores": [3, 1]}, 0.8),
        "e": ({"scores": "3:1"}, 0.8),
    }
    path = write_lines(
        tmp_path / "bad.jsonl",
        [json.dumps({"text": "g"}), json.dumps({"text": "h", "scores": {"significance": 7}})],
    )
    with pytest.raises(
        InvalidArgument, match=r"bad.jsonl:2: score 'significance' must be a number from 0 to 1"
    ):
        await desk.ingest(path)
    twice = {"text": "i", "scores": scores, "attributes": {"scores": scores}}
    with pytest.raises(InvalidArgument, match="'scores' is both a field and an attribute"):
        await desk.ingest(write_lines(tmp_path / "twice.jsonl", [json.dumps(twice)]))
