"""The column type of a hypervector, and what can be asked of such a column."""

from typing import Any, cast

import numpy as np
import psycopg
from sqlalchemy import BindParameter, ColumnElement, Double, Float, func, literal, literal_column, type_coerce
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, UserDefinedType

from engine.database.parameters import PackedBits, PackedBitsDumper
from engine.errors import InvalidArgument
from engine.hypervector import Hypervectors
from engine.hypervector.algebra import check_hypervectors

# For every engine, also one that was not made here; nothing else is of the type PackedBits.
psycopg.adapters.register_dumper(PackedBits, PackedBitsDumper)


class HammingDistance(TypeDecorator[int]):
    """A number of components that differ: `<~>` gives it as double precision, Python sees an int."""

    impl = Double
    cache_ok = True

    def process_result_value(self, value: float | None, dialect: Dialect) -> int | None:
        """Return the whole number."""
        return None if value is None else int(value)


class Hypervector(UserDefinedType[Hypervectors]):
    """bit(D) as uint8[D/8], packed as numpy.packbits does; of any D, which the database checks.

    Arrays that come from the database are read-only: assign a new one to change a value.
    A parameter that is no such array raises engine.errors.InvalidHypervector.
    """

    cache_ok = True
    hashable = False
    render_bind_cast = True

    class Comparator(UserDefinedType.Comparator[Hypervectors]):
        """Expressions over a hypervector; `other` is an array, or a column or expression of this type."""

        def hamming(self, other: Any) -> ColumnElement[int]:
            """The number of components that differ, by the operator `<~>`, the form that indexes know."""
            # Qualified, because the search_path of a session need not name the extension's schema.
            operator = self.expr.op("OPERATOR(public.<~>)", return_type=HammingDistance())
            return cast("ColumnElement[int]", operator(operand(other)))

        def similarity(self, other: Any) -> ColumnElement[float]:
            """1 - hamming / D: 1 equal, 0.5 unrelated, 0 complement."""
            return func.mnemo.similarity(self.expr, operand(other), type_=Float())

        def bind(self, other: Any) -> ColumnElement[Hypervectors]:
            """XOR with a vector of the same length; its own inverse."""
            return func.mnemo.bind(self.expr, operand(other), type_=Hypervector())

        def permute(self, n: int) -> ColumnElement[Hypervectors]:
            """Component i moved to (i + n) mod D; n may be negative."""
            return func.mnemo.permute(self.expr, n, type_=Hypervector())

        def sketch(self, bits: int | None = None) -> ColumnElement[Hypervectors]:
            """The first `bits` components; None: as many as this database indexes.

            The order of `sketch().hamming(...)` is what the sketch index answers.
            """
            if bits is None:
                return func.mnemo.sketch(self.expr, type_=Hypervector())
            if bits < 1:
                raise InvalidArgument(f"a sketch has at least 1 bit, not {bits}")
            # Literals: with parameters, a generic plan would not recognise the expression of an index.
            head = func.substring(self.expr, literal_column("1"), literal_column(str(int(bits))))
            return type_coerce(sql_cast(head, BIT(int(bits))), Hypervector())

    comparator_factory = Comparator

    @property
    def python_type(self) -> type[Any]:
        """The type of values: numpy.ndarray."""
        return np.ndarray

    def get_col_spec(self, **_: Any) -> str:
        """Return the type of a parameter: of any length, so that the server judges it."""
        return "BIT VARYING"

    def bind_processor(self, dialect: Dialect) -> Any:
        """Return the driver's binary form; 64 us a vector where text takes 2 ms (asyncpg)."""
        wire: Any = PackedBits
        if dialect.driver == "asyncpg":
            from asyncpg import BitString

            wire = BitString.frombytes

        def process(value: Hypervectors | None) -> Any:
            return None if value is None else wire(_packed(value))

        return process

    def literal_processor(self, dialect: Dialect) -> Any:
        """Return the vector as a hexadecimal constant, for statements printed with their values."""
        return lambda value: f"X'{_packed(value).hex()}'"

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return a reader of what the driver gives: asyncpg's BitString, psycopg's binary form or text."""

        def process(value: Any) -> Hypervectors | None:
            if value is None or isinstance(value, np.ndarray):
                return value
            if isinstance(value, str):
                return _read_only(np.packbits(np.frombuffer(value.encode("ascii"), np.uint8) & 1))
            if isinstance(value, bytes):
                return np.frombuffer(value, np.uint8, offset=4)
            return np.frombuffer(value.bytes, np.uint8)

        return process

    def compare_values(self, x: Any, y: Any) -> bool:
        """Return whether two values are the same: what the ORM asks before it writes."""
        return x is y or (x is not None and y is not None and np.array_equal(x, y))


def operand(value: Any) -> ColumnElement[Hypervectors]:
    """Return a parameter for an array; anything that SQLAlchemy can place in a statement stays as it is."""
    if isinstance(value, ColumnElement) or hasattr(value, "__clause_element__"):
        return cast("ColumnElement[Hypervectors]", value)
    parameter: BindParameter[Hypervectors] = literal(value, Hypervector())
    return parameter


def _packed(value: Hypervectors) -> bytes:
    check_hypervectors(value, dimensions=(1,))
    return value.tobytes()


def _read_only(value: Hypervectors) -> Hypervectors:
    value.flags.writeable = False
    return value
