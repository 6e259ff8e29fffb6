"""Weights that a database takes can be worked with, whatever the session's settings."""

import json
import random

import psycopg
import pytest

from tests.conftest import Connection

# What does not compress: an index row has room for it, or has not.
LONG = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=5_000))

ENCODINGS = [
    '{"words": 320.0}',
    '{"gram": 1.0}',
    '{"before": [112.0]}',
    '{"query": {"words": 5.00}}',
    '{"context_sample": 100.0}',
    '{"roles": {"": 128}}',
    json.dumps({"roles": {LONG: 128}}),
    json.dumps({"roles": {"é" * 101: 128}}),
]
RANKINGS = ['{"candidates": 50.0}', '{"coverage": 1e-400}', '{"recency": -1e-101}']


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_h4_an_encoding_that_could_not_be_computed_with_is_refused(small: Connection, encoding: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        small.execute("select mnemo.create_collection('odd', encoding => %s::jsonb)", [encoding])
    assert raised.value.sqlstate == "MN002"


@pytest.mark.parametrize("ranking", RANKINGS)
def test_h5_a_ranking_that_could_not_be_computed_with_is_refused(small: Connection, ranking: str) -> None:
    for statement in (
        "select mnemo.create_collection('odd', ranking => %s::jsonb)",
        "select mnemo.alter_collection('memories', %s::jsonb)",
    ):
        with pytest.raises(psycopg.Error) as raised:
            small.execute(statement.encode(), [ranking])
        assert raised.value.sqlstate == "MN002"


def test_h4_the_longest_names_of_roles_are_counted(small: Connection) -> None:
    tenant, role, value = (
        "t" + LONG[:999],
        LONG[:200],
        "".join(map(chr, random.Random(2).sample(range(0x4E00, 0x9F00), 200))),
    )
    small.execute("select set_config('mnemo.tenant', %s, false)", [tenant])
    small.execute(
        "select mnemo.create_collection(%s, encoding => %s::jsonb)",
        ["c" * 63, json.dumps({"roles": {role: 128}})],
    )
    small.execute(
        "select mnemo.remember('some text', collection => %s, attributes => %s::jsonb)",
        ["c" * 63, json.dumps({role: value})],
    )
    assert small.execute("select mnemo.fold_terms_step()").fetchone() == (1,)
    known = small.execute("select t.role, t.term from mnemo.term t where t.role <> ''").fetchall()
    assert known == [(role, value)]


def test_h4_hypervectors_do_not_depend_on_how_the_session_reads_strings(small: Connection) -> None:
    small.execute(
        'select mnemo.create_collection(\'t\', encoding => \'{"roles": {"speaker": 1, "occurred_at": 1}}\')'
    )
    whole = "select mnemo.encode_text('Ann: hello'), mnemo.encode_query('Ann says')"
    before = small.execute(whole.encode()).fetchone()
    small.execute("set standard_conforming_strings = off")
    assert small.execute(whole.encode()).fetchone() == before
    said = small.execute(
        "select array_agg(v.value)"
        " from mnemo.role_values('{\"speaker\": 1}', ' Ann\tLee: \thello', '{}', now()) as v"
    ).fetchone()
    assert said == (["ann lee"],)
    when = small.execute(
        "select array_agg(n.value order by n.value) from mnemo.named_roles("
        "'{\"occurred_at\": 1}', '{\"occurred_at\": \"2024-02-29\"}', 't') as n"
    ).fetchone()
    assert when == (["2024", "2024 02", "2024 02 29"],)


@pytest.mark.parametrize("space", ["\x1c", "\x1f \t", "\u00a0", "\u3000\u2028"])
def test_h4_space_of_any_kind_is_no_text(small: Connection, space: str) -> None:
    for statement in (
        "select mnemo.remember(%s)",
        "select mnemo.encode_text(%s)",
        "select mnemo.encode_query(%s)",
        "select * from mnemo.search_text(%s)",
    ):
        with pytest.raises(psycopg.Error) as raised:
            small.execute(statement.encode(), [space])
        assert raised.value.sqlstate == "MN002", statement
