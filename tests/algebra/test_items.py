"""H1: item memory and cleanup, in SQL and in Python."""

import numpy as np
import psycopg
import pytest

from engine.errors import InvalidArgument
from engine.hypervector import ItemMemory, bind, bundle, random_hypervector, unbind
from tests.algebra.database import from_sql, to_sql
from tests.conftest import Connection

NAMES = ["apple", "äpfel", "banana", "Zebra", "color", "shape"]


def test_h1_a_bound_record_gives_its_fillers_back(connection: Connection) -> None:
    memory = ItemMemory()
    for name in NAMES:
        row = connection.execute("select mnemo.item(%s)", [name]).fetchone()
        assert row is not None
        assert np.array_equal(from_sql(row[0]), memory.item(name))
    record = bundle(
        np.stack(
            [
                bind(memory.item("color"), memory.item("apple")),
                bind(memory.item("shape"), memory.item("banana")),
                random_hypervector("noise", memory.bits),
            ]
        )
    )
    assert record is not None
    noisy = unbind(record, memory.item("color"))
    assert memory.cleanup(noisy)[0][0] == "apple"
    for k in (1, 3, 4096):
        found = connection.execute(
            "select * from mnemo.cleanup(%s::varbit, %s)", [to_sql(noisy), k]
        ).fetchall()
        assert found == memory.cleanup(noisy, k)


def test_h1_equal_distances_come_by_name(connection: Connection) -> None:
    memory = ItemMemory()
    twin = random_hypervector("twin", memory.bits)
    for name in reversed(NAMES):
        memory.item(name, twin)
        connection.execute("select mnemo.item(%s, %s::varbit)", [name, to_sql(twin)])
    found = connection.execute("select * from mnemo.cleanup(%s::varbit, 9)", [to_sql(twin)]).fetchall()
    assert found == memory.cleanup(twin, 9) == [(name, 0) for name in sorted(NAMES)]


def test_h1_arguments_go_by_the_names_in_the_contracts(connection: Connection) -> None:
    query = """
        select c.name, c.distance,
               mnemo.item(name => 'apple', hdv => null) = mnemo.random_hypervector(seed => 'apple'),
               mnemo.encode_text(text => 'a', collection => 'memories') = mnemo.encode_text('a'),
               mnemo.project(embedding => '{1,2}', seed => 's') = mnemo.project('{1,2}', 's')
        from mnemo.cleanup(hdv => mnemo.random_hypervector('apple'), k => 1) as c"""
    connection.execute("select mnemo.item('apple')")
    assert connection.execute(query).fetchall() == [("apple", 0, True, True, True)]


def test_h1_a_known_name_keeps_its_vector(connection: Connection) -> None:
    memory = ItemMemory()
    given = random_hypervector("given", memory.bits)
    memory.item("a", given)
    connection.execute("select mnemo.item('a', %s::varbit)", [to_sql(given)])
    assert np.array_equal(memory.item("a"), given)
    row = connection.execute("select mnemo.item('a')").fetchone()
    assert row is not None
    assert np.array_equal(from_sql(row[0]), given)
    with pytest.raises(InvalidArgument, match="'a'"):
        memory.item("a", ~given)
    with pytest.raises(psycopg.Error, match="'a' is known") as raised:
        connection.execute("select mnemo.item('a', ~ %s::varbit)", [to_sql(given)])
    assert raised.value.sqlstate == "MN002"
    assert ("a" in memory, "b" in memory, len(memory)) == (True, False, 1)
    empty = connection.execute("select count(*) from mnemo.cleanup(null)").fetchone()
    assert empty == (0,)
