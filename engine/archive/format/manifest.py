"""manifest.json: what a segment's files are, and how what is in them was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.errors import ArchiveConflict, InstallationMismatch, ObjectCorrupted

KIND = "segment"
FORMAT_VERSION = 1
# What two collections must agree on, or hypervectors of one mean nothing to the other.
_ENCODING = ("encoder", "encoder_version", "dimension", "seed", "bind_context", "encoding")


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object of a segment: its key, its size in bytes, its SHA-256 (32 bytes)."""

    key: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """Where what lies in the two files of a segment: enough to read a few rows of them.

    Checksums are the first 8 bytes of the SHA-256 of each block of hdv.npy, and of each row group of
    rows.parquet up to its embeddings, joined. Every row group but the last has `row_group_rows` rows.
    """

    hdv_start: int
    block_rows: int
    block_checksums: bytes
    row_group_rows: int
    row_group_offsets: tuple[int, ...]
    row_group_lengths: tuple[int, ...]
    row_group_checksums: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What manifest.json says. `created` is an aware time; `collections` tell of each how it was encoded."""

    database: UUID
    created: datetime
    bits: int
    rows: int
    hdv: ObjectRef
    table: ObjectRef
    layout: Layout
    collections: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> bytes:
        """Return the file: always the same bytes for the same manifest."""
        layout = self.layout
        value = {
            "kind": KIND,
            "format_version": FORMAT_VERSION,
            "database": str(self.database),
            "created": self.created.isoformat(),
            "bits": self.bits,
            "rows": self.rows,
            "objects": {"hdv": _described(self.hdv), "rows": _described(self.table)},
            "hdv": {
                "start": layout.hdv_start,
                "block_rows": layout.block_rows,
                "block_checksums": layout.block_checksums.hex(),
            },
            "row_groups": {
                "rows": layout.row_group_rows,
                "offsets": list(layout.row_group_offsets),
                "lengths": list(layout.row_group_lengths),
                "checksums": layout.row_group_checksums.hex(),
            },
            "collections": {name: dict(how) for name, how in self.collections.items()},
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_manifest(key: str, data: bytes) -> Manifest:
    """Read a manifest, the content of the object `key`.

    Raises:
        ArchiveConflict: it is of another kind or another version of the format.
        ObjectCorrupted: it is no manifest.
    """
    try:
        value = json.loads(data)
        kind, version = value["kind"], value["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ObjectCorrupted(f"{key} is no manifest: {error!r}") from error
    if kind != KIND:
        raise ArchiveConflict(f"{key} describes a {kind}, not a {KIND}")
    if version != FORMAT_VERSION:
        raise ArchiveConflict(f"{key} is of format version {version}, this program reads {FORMAT_VERSION}")
    try:
        return _manifest(value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ObjectCorrupted(f"{key} is no whole manifest: {error!r}") from error


def require_bits(key: str, manifest: Manifest, bits: int) -> None:
    """Raise InstallationMismatch unless a segment has hypervectors of as many bits as this database."""
    if manifest.bits != bits:
        raise InstallationMismatch(
            f"{key} describes hypervectors of {manifest.bits} bits, this database stores {bits}"
        )


def check_collections(manifest: Manifest, current: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return how the collections of a segment were encoded otherwise than `current` says, a line for each.

    Collections are compared in what both tell of encoder, encoder_version, dimension, seed, bind_context and
    encoding. One that `current` does not have is a difference; a dimension that was not known yet is none: no
    hypervector then came from an embedding.
    """
    differences = []
    for name, theirs in sorted(manifest.collections.items()):
        ours = current.get(name)
        if ours is None:
            differences.append(f"collection '{name}' is not here")
            continue
        differences += [
            f"collection '{name}': {field} is {_json(theirs[field])} there, {_json(ours[field])} here"
            for field in _ENCODING
            if field in theirs
            and field in ours
            and _json(theirs[field]) != _json(ours[field])
            and not (field == "dimension" and theirs[field] is None)
        ]
    return differences


def _described(ref: ObjectRef) -> dict[str, Any]:
    return {"key": ref.key, "size": ref.size, "sha256": ref.sha256.hex()}


def _ref(value: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(value["key"], int(value["size"]), bytes.fromhex(value["sha256"]))


def _manifest(value: Mapping[str, Any]) -> Manifest:
    hdv, groups = value["hdv"], value["row_groups"]
    return Manifest(
        database=UUID(value["database"]),
        created=datetime.fromisoformat(value["created"]),
        bits=int(value["bits"]),
        rows=int(value["rows"]),
        hdv=_ref(value["objects"]["hdv"]),
        table=_ref(value["objects"]["rows"]),
        layout=Layout(
            hdv_start=int(hdv["start"]),
            block_rows=int(hdv["block_rows"]),
            block_checksums=bytes.fromhex(hdv["block_checksums"]),
            row_group_rows=int(groups["rows"]),
            row_group_offsets=tuple(map(int, groups["offsets"])),
            row_group_lengths=tuple(map(int, groups["lengths"])),
            row_group_checksums=bytes.fromhex(groups["checksums"]),
        ),
        collections={name: dict(how) for name, how in value["collections"].items()},
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
