"""The files of a segment: hdv.npy, rows.parquet, manifest.json. docs/archive.md describes them."""

from engine.archive.format.manifest import (
    FORMAT_VERSION,
    Layout,
    Manifest,
    ObjectRef,
    check_collections,
    read_manifest,
    require_bits,
)
from engine.archive.format.ordering import ORDER_BITS, order_rows
from engine.archive.format.reader import Part, SegmentReader, verify_file, verify_part
from engine.archive.format.table import COLUMNS, INFINITY, SCHEMA, Row, rows_of, table_of
from engine.archive.format.writer import (
    BLOCK_ROWS,
    ROW_GROUP_ROWS,
    SegmentWriter,
    WrittenFile,
    WrittenSegment,
)

__all__ = [
    "BLOCK_ROWS",
    "COLUMNS",
    "FORMAT_VERSION",
    "INFINITY",
    "ORDER_BITS",
    "ROW_GROUP_ROWS",
    "SCHEMA",
    "Layout",
    "Manifest",
    "ObjectRef",
    "Part",
    "Row",
    "SegmentReader",
    "SegmentWriter",
    "WrittenFile",
    "WrittenSegment",
    "check_collections",
    "order_rows",
    "read_manifest",
    "require_bits",
    "rows_of",
    "table_of",
    "verify_file",
    "verify_part",
]
