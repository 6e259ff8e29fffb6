"""mnemo eval on a real server: its figures, its other languages, what it leaves behind, and its refusals."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from engine import Memory, Mnemo
from engine.config import Settings
from engine.evaluation.rankings import rehearsal
from engine.hypervector import random_hypervector
from tests.cli.conftest import PATIENCE_S, PROGRAM, Run
from tests.conftest import DatabaseFactory
from tests.evaluation.conftest import CORPORA, write_lines
from tests.support.corpus import sentences

ROWS, ASKED, DIMENSION = 120, 25, 16
TEXTS = list(sentences(ROWS, seed=9))
VECTORS = np.random.default_rng(9).normal(size=(ROWS, DIMENSION)).astype(np.float32)
NEAR = VECTORS[:ASKED] + np.random.default_rng(8).normal(size=(ASKED, DIMENSION)).astype(np.float32)


def _context(place: int) -> str:
    return f"c{place % 6}"


def _questions() -> list[dict[str, Any]]:
    """Return questions of six contexts, that two memories answer each; every third has a filter."""
    return [
        {
            "question": " ".join(TEXTS[place].split()[:5]),
            "keys": [f"m{place}", f"m{place + 60}"],
            "context": _context(place),
            "category": place % 2,
            **({"filter": {"half": 0}} if place % 3 == 0 else {}),
        }
        for place in range(ASKED)
    ]


@pytest.fixture(scope="module")
def filled(module_dsn: str) -> str:
    """A database of 120 memories with embeddings, a sixth of them in each context."""

    async def fill() -> None:
        async with Mnemo.open(module_dsn) as opened:
            await opened.remember_many(
                Memory(
                    TEXTS[place],
                    key=f"m{place}",
                    context=_context(place),
                    attributes={"half": place // 60},
                    embedding=VECTORS[place],
                )
                for place in range(ROWS)
            )

    asyncio.run(fill())
    return module_dsn


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The questions, with their embeddings."""
    np.save(tmp_path / "questions.npy", NEAR)
    path = write_lines(tmp_path / "questions.jsonl", _questions())
    return [path, "--embeddings", str(tmp_path / "questions.npy"), "--missing", "ignore"]


def _cosine_of(place: int) -> NDArray[np.float64]:
    a, b = NEAR[place].astype(float), VECTORS.astype(float)
    return np.asarray(b @ a / np.linalg.norm(b, axis=1), np.float64)


def test_figures_are_those_of_a_plain_computation(filled: str, mnemo: Run, files: list[str]) -> None:
    done = mnemo("--dsn", filled, "eval", *files, "-k", "3", "--json", "--exact", "--by", "context")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    expected: list[float] = []
    for place in range(ASKED):
        there = [n for n in range(place % 6, ROWS, 6) if place % 3 or n < 60]
        nearest = sorted(there, key=lambda n: -_cosine_of(place)[n])[:3]
        answers = {place, place + 60} & set(there)
        expected.append(len(answers & set(nearest)) / len(answers))
    of = {(row["group"], row["method"]): row for row in report["rows"]}
    assert of["all", "cosine"]["recall"][0] == pytest.approx(np.mean(expected), abs=1e-4)
    assert of["c4", "cosine"]["recall"][0] == pytest.approx(np.mean(expected[4::6]), abs=1e-4)
    # Every third question lost one of two keys to its filter, none all.
    assert (report["ignored_keys"], report["questions_left_out"]) == (9, 0)
    assert (report["questions"], report["contexts"], report["memories"]) == (ASKED, 6, ROWS)
    assert {row["drawn"] for row in report["rows"] if row["group"] == "all"} == {"contexts"}
    assert {row["drawn"] for row in report["rows"] if row["group"] != "all"} == {"questions"}
    assert all(
        0 <= row[m][1] <= row[m][0] <= row[m][2] <= 1 for row in report["rows"] for m in ("recall", "ndcg")
    )
    peers = {row["method"]: row["recall"][0] for row in report["rows"] if row["group"] == "all"}
    (one, other) = report["differences"]
    assert one["recall"][0] == pytest.approx(peers[one["method"]] - peers[one["peer"]], abs=2e-4)
    assert other["peer"] == one["peer"]
    assert peers[one["peer"]] == max(
        value for name, value in peers.items() if name not in ("recall", "search")
    )


def test_ours_are_scored_on_what_sql_returns(filled: str, mnemo: Run, files: list[str]) -> None:
    statements = {
        "search": "select key from mnemo.search(mnemo.encode_query(%(text)s, context => %(context)s,"
        " embedding => %(vector)s::real[]), k => 10, context => %(context)s, filter => %(filter)s)",
        "recall": "select key from mnemo.search_text(%(text)s, k => 10, context => %(context)s,"
        " filter => %(filter)s, embedding => %(vector)s::real[])",
    }
    expected: dict[str, list[float]] = {"search": [], "recall": []}
    with psycopg.connect(filled, autocommit=True) as connection:
        for place, question in enumerate(_questions()):
            keys = set(question["keys"][: 1 if "filter" in question else 2])
            asked = {
                "text": question["question"],
                "context": question["context"],
                "filter": Jsonb(question.get("filter", {})),
                "vector": NEAR[place].tolist(),
            }
            for method, statement in statements.items():
                found = [key for (key,) in connection.execute(statement, asked).fetchall()]
                expected[method].append(len(keys & set(found[:3])) / len(keys))
    done = mnemo("--dsn", filled, "eval", *files, "-k", "3", "--json", "--methods", "search,recall")
    report = json.loads(done.out)
    measured = {row["method"]: row["recall"][0] for row in report["rows"] if row["group"] == "all"}
    assert measured == pytest.approx({name: np.mean(each) for name, each in expected.items()}, abs=1e-4)
    assert report["differences"] == []


def test_the_same_seed_gives_the_same_figures(filled: str, mnemo: Run, files: list[str]) -> None:
    def figures(seed: str) -> list[Any]:
        asked = ("eval", *files, "--json", "--limit", "10", "--methods", "search,bm25", "--seed", seed)
        rows = json.loads(mnemo("--dsn", filled, *asked).out)["rows"]
        return [{name: value for name, value in row.items() if name != "p50_ms"} for row in rows]

    assert figures("1") == figures("1") != figures("2")
    assert figures("1")[0]["questions"] == 10


def test_nothing_counts_as_an_access(filled: str, mnemo: Run, files: list[str]) -> None:
    trace = "select (select count(*) from mnemo.access_log), (select sum(access_count) from mnemo.activity)"
    with psycopg.connect(filled, autocommit=True) as connection:
        before = connection.execute(trace).fetchone()
        assert mnemo("--dsn", filled, "eval", *files, "--methods", "recall").code == 0
        assert connection.execute(trace).fetchone() == before

        async def recall() -> None:
            settings = Settings(dsn=filled)
            async with Mnemo.open(settings=settings) as opened, rehearsal(opened, settings) as quiet:
                assert len(await quiet.recall(TEXTS[0], embedding=NEAR[0], k=2)) == 2
                assert connection.execute(trace).fetchone() == before
                # The same recall, were it not rolled back, leaves a trace.
                await opened.recall(TEXTS[0], embedding=NEAR[0], k=2)

        asyncio.run(recall())
        assert connection.execute(trace).fetchone() != before


@pytest.mark.parametrize(("language", "floor"), [("german", 0.9), ("japanese", 0.9)])
def test_other_languages_are_found_by_their_words(
    module_dsn: str, mnemo: Run, language: str, floor: float
) -> None:
    asked = (
        "--dsn", module_dsn, "eval", str(CORPORA / f"{language}_questions.jsonl"), "-k", "3", "--json",
        "--memories", str(CORPORA / f"{language}_memories.jsonl"),
    )  # fmt: skip
    done = mnemo(*asked)
    assert "memories stored in the collection eval_" in done.err
    assert "cosine is left out: " in done.err
    report = json.loads(done.out)
    found = {row["method"]: row["recall"][0] for row in report["rows"] if row["group"] == "all"}
    assert found["search"] >= floor
    assert found["recall"] >= floor
    assert ("bm25-stemmed" in found) == (language == "german")
    # What is stored once is measured again as it is.
    again = mnemo(*asked)
    assert "stored" not in again.err
    assert json.loads(again.out)["collection"] == report["collection"]


def test_roles_and_weights_reach_the_collection(module_dsn: str, mnemo: Run, tmp_path: Path) -> None:
    said = ["the boat is nearly done", "the boat needs paint", "a cat sleeps", "the train was late"]
    rows = [
        {"key": f"{name} {n}", "content": text, "voice": name}
        for n, text in enumerate(said)
        for name in ("Ann", "Bob")
    ]
    question = {"question": "What about the train?", "keys": ["Bob 3"], "roles": {"voice": "Bob"}}
    questions = write_lines(tmp_path / "questions.jsonl", [question])
    asked = (
        "--dsn", module_dsn, "eval", questions, "-k", "1", "--json", "--methods", "search",
        "--memories", write_lines(tmp_path / "memories.jsonl", rows),
    )  # fmt: skip
    done = mnemo(*asked, "--encoding", '{"roles": {"voice": 256}}', "--ranking", '{"candidates": 5}')
    report = json.loads(done.out)
    assert report["rows"][0]["recall"][0] == 1.0
    with psycopg.connect(module_dsn) as connection:
        weights = "select encoding -> 'roles', ranking -> 'candidates' from mnemo.collection where name = %s"
        assert connection.execute(weights, [report["collection"]]).fetchone() == ({"voice": 256}, 5)
    without = mnemo(*asked)
    assert "questions.jsonl:1: " in without.err
    assert "'voice'" in without.err


def test_a_table_and_a_picture_for_people(filled: str, mnemo: Run, files: list[str], tmp_path: Path) -> None:
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        picture = tmp_path / f"recall{suffix}"
        done = mnemo("--dsn", filled, "eval", *files, "--plot", str(picture), "--methods", "search,bm25,rrf")
        assert done.code == 0, done.err
        assert picture.read_bytes().startswith(start)
    lines = done.out.splitlines()
    assert lines[0].split() == ["method", "recall@10", "nDCG@10", "MRR", "hit@10", "p50", "ms"]
    assert [line.split()[0] for line in lines[1:4]] == ["search", "bm25", "rrf"]
    assert "bootstrap means over 6 contexts, seed 0." in done.out
    assert "search less bm25" in done.out or "search less rrf" in done.out
    assert "Left out: 9 keys that no memory has, and 0 questions that had no other." in done.out


QUESTION = {"question": "ka lo mi", "keys": ["m1"]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "2: not JSON: "),
        ([1], "2: a JSON list, not an object"),
        ({"keys": ["m1"]}, "2: there is no field question"),
        (QUESTION | {"question": " "}, "2: question is empty"),
        (QUESTION | {"question": 7}, "2: question is int, not text"),
        ({"question": "x"}, "2: there is no field keys or evidence"),
        (QUESTION | {"keys": []}, "2: keys names no memory"),
        (QUESTION | {"keys": [["m1"]]}, "2: a key in keys is list, not text or a whole number"),
        (QUESTION | {"evidence": ["m1"]}, "2: both keys and evidence name the answers"),
        (QUESTION | {"keys": ["m1", "nowhere"]}, "2: there is no memory with key 'nowhere' in collection"),
        (
            QUESTION | {"context": "c2"},
            "2: the memory 'm1' is of context 'c1', the question is asked in 'c2'",
        ),
        (QUESTION | {"context": "void"}, "2: collection 'memories' has no memory of context 'void'"),
        (QUESTION | {"filter": {"half": 1}}, "2: the filter leaves out the memory 'm1'"),
        (QUESTION | {"filter": {"half": {"$near": 1}}}, "2: "),
        (QUESTION | {"filter": [1]}, "2: filter is list, not a JSON object"),
        (QUESTION | {"roles": "me"}, "2: roles is str, not a JSON object"),
        (
            QUESTION | {"embedding": [1, 2]},
            "2: the embedding has 2 dimensions, collection 'memories' takes 16",
        ),
        (QUESTION | {"embedding": [0] * DIMENSION}, "2: embedding is all zero"),
        (QUESTION | {"embedding": "near"}, "2: embedding is not a list of numbers"),
        (QUESTION | {"question": "a\x00"}, "2: question holds a NUL character"),
    ],
)
def test_a_bad_question_is_named_by_its_line(
    filled: str, mnemo: Run, tmp_path: Path, line: Any, message: str
) -> None:
    path = write_lines(tmp_path / "bad.jsonl", [QUESTION, line])
    done = mnemo("--dsn", filled, "eval", path, "--methods", "search")
    assert (done.code, done.out) == (1, "")
    assert f"mnemo: {path}:{message}" in done.err


def test_refusals_before_any_work(filled: str, mnemo: Run, tmp_path: Path, files: list[str]) -> None:
    def refused(code: int, message: str, *arguments: str) -> None:
        done = mnemo("--dsn", filled, "eval", *arguments)
        assert (done.code, done.out) == (code, "")
        assert message in done.err

    empty = write_lines(tmp_path / "empty.jsonl", [])
    refused(1, "holds no question", empty)
    refused(2, "does not exist", str(tmp_path / "nothing.jsonl"))
    refused(1, f"has {ASKED} rows", write_lines(tmp_path / "one.jsonl", [QUESTION]), *files[1:3])
    refused(1, "cosine cannot be measured: not every", write_lines(tmp_path / "one.jsonl", [QUESTION]),
            "--methods", "cosine")  # fmt: skip
    refused(2, "there is no method 'bm26'", *files, "--methods", "bm25,bm26")
    refused(1, "a plot is a file named .png", *files, "--plot", "plot.docx")
    refused(1, "there is no such folder", *files, "--plot", str(tmp_path / "no" / "plot.png"))
    refused(1, "unknown language 'elvish'", *files, "--language", "elvish")
    refused(1, "unknown collection 'other'", *files, "--collection", "other")
    refused(2, "belong to --memories", *files, "--encoding", "{}")
    german = str(CORPORA / "german_memories.jsonl")
    refused(1, "has memories that are not from", *files, "--memories", german, "--collection", "memories")
    refused(1, "there is no weight 'wordz'", *files, "--memories", german, "--encoding", '{"wordz": 1}')


def test_without_the_optional_packages(
    filled: str, mnemo: Run, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("bm25s", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    done = mnemo("--dsn", filled, "eval", *files)
    assert done.code == 1
    assert "BM25 needs the package bm25s: pip install 'mnemo[eval]'" in done.err
    assert "a plot needs the package" in mnemo("--dsn", filled, "eval", *files, "--plot", "p.png").err
    assert mnemo("--dsn", filled, "eval", *files, "--methods", "search,cosine").code == 0


def test_an_interrupt_ends_it_at_once(
    database_factory: DatabaseFactory, environment: None, tmp_path: Path
) -> None:
    dsn = database_factory(1024, 256)

    async def fill() -> None:
        async with Mnemo.open(dsn) as opened:
            await opened.remember("a", key="a", hdv=random_hypervector("a", 1024))

    asyncio.run(fill())
    path = write_lines(tmp_path / "questions.jsonl", [{"question": "a", "keys": ["a"]}])
    with psycopg.connect(dsn, autocommit=True) as watcher, psycopg.connect(dsn) as holder:
        # The recall waits before it notes its access.
        holder.execute("lock table mnemo.access_log in access exclusive mode")
        command = [*PROGRAM, "--dsn", dsn, "eval", path, "--methods", "recall"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        waits = (
            "select exists (select from pg_stat_activity"
            " where wait_event_type = 'Lock' and datname = current_database())"
        )
        while process.poll() is None and watcher.execute(waits).fetchone() != (True,):
            pass
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in errors
    assert "Traceback" not in errors
