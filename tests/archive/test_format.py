"""The files of a segment: what goes in comes out, damage is found, other programs open them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.archive.format import (
    COLUMNS,
    INFINITY,
    Manifest,
    SegmentReader,
    SegmentWriter,
    WrittenSegment,
    check_collections,
    read_manifest,
    require_bits,
    verify_file,
)
from engine.errors import ArchiveConflict, InstallationMismatch, InvalidArgument, ObjectCorrupted
from engine.hypervector import Hypervectors

BITS = 1_024
BLOCK, GROUP = 4, 8
NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
HOW = {
    "encoder": "composite",
    "encoder_version": 1,
    "dimension": 384,
    "seed": "s",
    "encoding": {"words": 320},
}
Rows = list[dict[str, Any]]

_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_time = st.one_of(
    st.datetimes(
        datetime(1, 1, 2),
        datetime(9999, 12, 30),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
    ),
    st.sampled_from([INFINITY, -INFINITY, -210_866_803_200_000_000, 9_224_318_015_999_999_999 - 2**53]),
)
_json = st.dictionaries(_text, _text | st.integers() | st.none(), max_size=3)
_row = st.fixed_dictionaries(
    {
        "id": st.uuids(),
        "bucket": st.integers(0, 1023),
        "forgotten": st.booleans(),
        **{
            name: st.none() | _text
            for name in ("tenant", "collection", "key", "context", "session", "content")
        },
        "attributes": st.none() | _json.map(json.dumps),
        "encoded": st.sampled_from([None, "g", "w", "c"]),
        "strength": st.none() | st.floats(0, 1, width=32),
        "access_count": st.none() | st.integers(0, 2**63 - 1),
        **{
            name: st.none() | _time
            for name in ("occurred_at", "created_at", "strength_at", "last_access", "expires_at")
        },
        "content_sha256": st.none() | st.binary(min_size=32, max_size=32),
        "embedding": st.none() | st.binary(max_size=20),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_row, max_size=13), cut=st.integers(1, 13))
def test_every_value_comes_back(tmp_path: Path, rows: Rows, cut: int) -> None:
    """Whatever PostgreSQL can hold, in batches of any size, also no row at all."""
    hdvs = _hdvs(len(rows))
    written = _write(tmp_path, rows, hdvs, cut)
    manifest = _manifest(written)
    assert read_manifest("m", manifest.to_json()) == manifest
    verify_file(written.hdv.path, manifest.hdv)
    verify_file(written.table.path, manifest.table)
    assert written.hdv.sha256 == sha256(written.hdv.path.read_bytes()).digest()

    reader = SegmentReader(manifest, written.footer)
    found: Rows = []
    vectors = []
    for some, some_hdvs in reader.batches(written.hdv.path, written.table.path, 5):
        found += some
        vectors.append(some_hdvs.copy())
    assert found == [{"row_number": at, **row} for at, row in enumerate(rows)]
    assert [row["row_number"] for row in found] == list(range(len(rows)))
    assert np.array_equal(np.concatenate([np.empty((0, BITS // 8), np.uint8), *vectors]), hdvs)

    # The same by ranges, as a search reads them.
    content, table = written.hdv.path.read_bytes(), written.table.path.read_bytes()
    for block in range(-(-len(rows) // BLOCK)):
        begin, end = reader.block_range(block, block)
        assert np.array_equal(reader.blocks(content[begin:end], block), hdvs[block * BLOCK :][:BLOCK])
    for group in range(-(-len(rows) // GROUP)):
        begin, end = reader.group_range(group)
        numbers = list(range(group * GROUP, min((group + 1) * GROUP, len(rows))))[::-2]
        expected = [{"row_number": at, **rows[at]} for at in numbers]
        for row in expected:
            del row["embedding"]
        assert reader.group(table[begin:end], group, numbers) == expected


def test_batches_do_not_show_in_the_files(tmp_path: Path) -> None:
    """The same rows in the same order are the same bytes: an attempt begun again uploads nothing twice."""
    rows, hdvs = _plain(70), _hdvs(70)
    files = []
    for cut in (1, 7, 70):
        folder = tmp_path / str(cut)
        folder.mkdir()
        written = _write(folder, rows, hdvs, cut)
        files.append((written.hdv.sha256, written.table.sha256, written.layout, written.footer))
    assert files[0] == files[1] == files[2]


def test_the_embeddings_stay_out_of_the_ranges_of_row_groups(tmp_path: Path) -> None:
    """What a search reads of a row group is all of it but its embeddings, which are most of its bytes."""
    rows = [{**row, "embedding": np.random.default_rng(at).bytes(384)} for at, row in enumerate(_plain(24))]
    written = _write(tmp_path, rows, _hdvs(24), 24)
    content = written.table.path.read_bytes()
    reader = SegmentReader(_manifest(written), written.footer)
    parts = [content[slice(*reader.group_range(group))] for group in range(3)]
    for row in rows:
        assert not any(row["embedding"] in part for part in parts)
        assert row["embedding"] in content


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer"])
def test_damage_is_found_by_name(tmp_path: Path, damage: str) -> None:
    """One bit, wherever it is, or a missing byte."""
    written = _write(tmp_path, _plain(20), _hdvs(20), 20)
    manifest = _manifest(written)
    for file, ref in ((written.hdv, manifest.hdv), (written.table, manifest.table)):
        whole = file.path.read_bytes()
        for place in range(0, len(whole), 97):
            file.path.write_bytes(_damaged(whole, place, damage))
            with pytest.raises(ObjectCorrupted, match=ref.key):
                verify_file(file.path, ref)
        file.path.write_bytes(whole)


def test_damage_of_a_range_is_found_by_name(tmp_path: Path) -> None:
    """A bit of a block or row group names the block or row group, and the object."""
    written = _write(tmp_path, _plain(20), _hdvs(20), 20)
    reader = SegmentReader(_manifest(written), written.footer)
    begin, end = reader.block_range(1, 3)
    blocks = written.hdv.path.read_bytes()[begin:end]
    with pytest.raises(ObjectCorrupted, match=r"block 2 of o/hdv\.npy"):
        reader.blocks(_damaged(blocks, BLOCK * BITS // 8 + 5, "flipped"), 1)
    with pytest.raises(ObjectCorrupted, match=r"block 3 of o/hdv\.npy"):
        reader.blocks(blocks[:-1], 1)
    begin, end = reader.group_range(2)
    group = written.table.path.read_bytes()[begin:end]
    for place in range(0, len(group), 31):
        with pytest.raises(ObjectCorrupted, match=r"row group 2 of o/rows\.parquet"):
            reader.group(_damaged(group, place, "flipped"), 2)


def test_other_files_than_the_manifest_says_are_refused(tmp_path: Path) -> None:
    """Files of another segment, or that are none."""
    written = _write(tmp_path, _plain(20), _hdvs(20), 20)
    manifest = _manifest(written)
    reader = SegmentReader(replace(manifest, rows=19))
    with pytest.raises(ObjectCorrupted, match=r"o/hdv\.npy holds uint8\[20, 128\], not uint8\[19, 128\]"):
        list(reader.batches(written.hdv.path, written.table.path))
    np.save(tmp_path / "19.npy", _hdvs(19))
    with pytest.raises(ObjectCorrupted, match=r"o/rows\.parquet has 20 rows"):
        list(reader.batches(tmp_path / "19.npy", written.table.path))
    (tmp_path / "none").write_bytes(b"none")
    with pytest.raises(ObjectCorrupted, match=r"o/hdv\.npy cannot be read"):
        list(SegmentReader(manifest).batches(tmp_path / "none", written.table.path))
    with pytest.raises(ObjectCorrupted, match=r"o/rows\.parquet cannot be read"):
        list(SegmentReader(manifest).batches(written.hdv.path, tmp_path / "none"))


def test_manifests_of_others_are_refused_with_the_reason(tmp_path: Path) -> None:
    """Another version of the format, another kind of object, another width, other encoders."""
    manifest = _manifest(_write(tmp_path, _plain(3), _hdvs(3), 3))
    value = json.loads(manifest.to_json())
    with pytest.raises(ArchiveConflict, match="o/m is of format version 2, this program reads 1"):
        read_manifest("o/m", json.dumps(value | {"format_version": 2}).encode())
    with pytest.raises(ArchiveConflict, match="o/m describes a copy, not a segment"):
        read_manifest("o/m", json.dumps(value | {"kind": "copy"}).encode())
    for broken in (b"", b"[]", b"{}", manifest.to_json()[:-1], json.dumps(value | {"hdv": {}}).encode()):
        with pytest.raises(ObjectCorrupted, match="o/m is no "):
            read_manifest("o/m", broken)
    require_bits("o/m", manifest, BITS)
    with pytest.raises(InstallationMismatch, match=r"o/m describes .* 1024 bits, .* 2048"):
        require_bits("o/m", manifest, 2048)

    assert check_collections(manifest, {"memories": HOW, "others": {}}) == []
    assert check_collections(manifest, {}) == ["collection 'memories' is not here"]
    other = HOW | {"seed": "t", "encoder_version": 2, "encoding": {"words": 321}}
    assert check_collections(manifest, {"memories": other}) == [
        "collection 'memories': encoder_version is 1 there, 2 here",
        'collection \'memories\': seed is "s" there, "t" here',
        'collection \'memories\': encoding is {"words": 320} there, {"words": 321} here',
    ]


def test_what_cannot_be_written_is_refused_by_its_memory(tmp_path: Path) -> None:
    """A row of wrong values adds nothing; the writer goes on."""
    rows = _plain(3)
    with SegmentWriter(tmp_path, BITS) as writer:
        for wrong, said in (
            ({"attributes": {}}, "attributes|dict|str"),
            ({"occurred_at": datetime(2026, 1, 1)}, "time zone"),
            ({"occurred_at": 2**63}, ""),
            ({"bucket": None}, "bucket"),
            ({"content_sha256": b"short"}, ""),
        ):
            with pytest.raises(
                InvalidArgument, match=f"memory {rows[1]['id']} cannot be written: .*({said})"
            ):
                writer.write([rows[0], rows[1] | wrong, rows[2]], _hdvs(3))
        with pytest.raises(InvalidArgument, match=r"uint8\[2, 128\], not uint8\[3, 128\]"):
            writer.write(rows, _hdvs(2))
        writer.write(rows, _hdvs(3))
        written = writer.finish()
    assert written.rows == 3
    assert pq.read_metadata(written.table.path).num_rows == 3


def test_other_programs_open_the_files(tmp_path: Path) -> None:
    """NumPy maps the hypervectors, DuckDB and pyarrow query the rest; none of them knows Mnemo."""
    rows, hdvs = _plain(50), _hdvs(50)
    rows[7] |= {"forgotten": True} | dict.fromkeys(COLUMNS[3:])
    rows[8]["occurred_at"] = INFINITY
    written = _write(tmp_path, rows, hdvs, 13)
    assert np.array_equal(np.load(written.hdv.path, mmap_mode="r"), hdvs)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        segment = connection.read_parquet(str(written.table.path))
        assert segment.columns == ["row_number", *COLUMNS]
        found = connection.execute(
            "select id, content, attributes::json->>'n', epoch_us(occurred_at), embedding, forgotten"
            " from segment where row_number in (3, 7) order by row_number"
        ).fetchall()
        assert found == [
            (rows[3]["id"], "text ☂ 3", "3", int(NOW.timestamp()) * 10**6 + 123459, bytes([3] * 8), False),
            (rows[7]["id"], None, None, None, None, True),
        ]
        kinds = connection.execute("select typeof(id), typeof(occurred_at) from segment limit 1").fetchone()
        assert kinds == ("UUID", "TIMESTAMP WITH TIME ZONE")
        infinite = "select row_number from segment where occurred_at = 'infinity'::timestamptz"
        assert connection.execute(infinite).fetchall() == [(8,)]
    assert pq.read_table(written.table.path).column("content").to_pylist()[3] == "text ☂ 3"


def _plain(count: int) -> Rows:
    return [
        {
            "id": UUID(int=at + 1),
            "bucket": at % 1024,
            "forgotten": False,
            "tenant": "default",
            "collection": "memories",
            "key": f"k{at}",
            "context": None,
            "session": None,
            "occurred_at": NOW + timedelta(microseconds=at),
            "created_at": NOW,
            "content": f"text ☂ {at}",
            "attributes": json.dumps({"n": at}),
            "encoded": "w",
            "strength": 0.5,
            "strength_at": NOW,
            "last_access": None,
            "access_count": at,
            "expires_at": None,
            "content_sha256": sha256(str(at).encode()).digest(),
            "embedding": bytes([at] * 8),
        }
        for at in range(count)
    ]


def _hdvs(count: int) -> Hypervectors:
    return np.random.default_rng(1).integers(0, 256, (count, BITS // 8), np.uint8)


def _write(folder: Path, rows: Sequence[dict[str, Any]], hdvs: Hypervectors, cut: int) -> WrittenSegment:
    with SegmentWriter(folder, BITS, block_rows=BLOCK, row_group_rows=GROUP) as writer:
        for start in range(0, len(rows), cut):
            writer.write(rows[start : start + cut], hdvs[start : start + cut])
        return writer.finish()


def _manifest(written: WrittenSegment) -> Manifest:
    return written.manifest(
        "o/hdv.npy",
        "o/rows.parquet",
        database=UUID(int=1),
        created=NOW,
        collections={"memories": HOW},
    )


def _damaged(content: bytes, place: int, damage: str) -> bytes:
    if damage == "cut":
        return content[:place]
    if damage == "longer":
        return content + b"\0"
    return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]
