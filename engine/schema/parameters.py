"""The two numbers an installation is made for, and what follows from them."""

from dataclasses import dataclass

from engine.errors import InvalidArgument

DEFAULT_BITS = 16_384
DEFAULT_SKETCH_BITS = 1_536
# From the curve in docs/performance.md: a longer sketch costs bytes, a shorter one requests.
ARCHIVE_BITS = 1_024

MIN_BITS, MAX_BITS, BIT_STEP = 1_024, 32_768, 64
MIN_SKETCH_BITS = 64
# pgvector refuses HNSW on bit types longer than this.
MAX_INDEXED_BITS = 64_000

# Page layout of PostgreSQL: block, page header, line pointer, alignment.
_PAGE, _PAGE_HEADER, _LINE_POINTER, _ALIGN = 8_192, 24, 4, 8
# Four rows a page is PostgreSQL's own default target; aiming lower only moves text away from its row.
_MOST_ROWS = 4
# Row header, ids, tenant, names, times, a short text and a little jsonb.
_BESIDE_VECTOR = 600
# A bit(n) datum: variable-length header and bit count, four bytes each.
_BIT_HEADER = 8


def _align_down(size: int) -> int:
    return size // _ALIGN * _ALIGN


def _row_limit(rows: int) -> int:
    """Bytes of the largest row of which that many fit one page.

    An equal share of the page, less its line pointer, rounded down to the alignment, less one more unit:
    the spare bytes hold the line pointers that dead and updated rows leave behind.
    """
    return _align_down((_PAGE - _PAGE_HEADER) // rows - _LINE_POINTER) - _ALIGN


@dataclass(frozen=True, slots=True)
class Parameters:
    """Width of hypervectors and of their sketches, in bits; fixed when a database is installed.

    Raises:
        InvalidArgument: a width is out of range or no multiple of 64; the message names it.
    """

    bits: int = DEFAULT_BITS
    sketch_bits: int = DEFAULT_SKETCH_BITS

    def __post_init__(self) -> None:
        """Check both widths."""
        _check("bits", self.bits, MIN_BITS, MAX_BITS)
        _check("sketch_bits", self.sketch_bits, MIN_SKETCH_BITS, min(self.bits, MAX_INDEXED_BITS))

    @property
    def archive_bits(self) -> int:
        """Leading components that stay in the database of an archived memory."""
        return min(self.bits, ARCHIVE_BITS)

    @property
    def toast_tuple_target(self) -> int:
        """Row size in bytes above which text leaves the row: 2,704 at 16,384 bits.

        With n rows a page a row may take align8((8192 - 24) / n - 4) - 8 bytes. The target is that limit for
        the largest n <= 4 whose rows hold the vector (bits / 8 + 8 bytes) and 600 bytes more. Vectors of
        more than half a page get a page to themselves, and the text beside them may fill it.
        """
        vector = self.bits // 8 + _BIT_HEADER
        fitting = (n for n in range(_MOST_ROWS, 1, -1) if _row_limit(n) >= vector + _BESIDE_VECTOR)
        return _row_limit(next(fitting, 1))


def _check(name: str, value: int, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgument(f"{name} must be a whole number, not {value!r}")
    if value % BIT_STEP or not lowest <= value <= highest:
        raise InvalidArgument(
            f"{name} = {value} is not possible: it must be a multiple of {BIT_STEP}"
            f" from {lowest} to {highest}"
        )
