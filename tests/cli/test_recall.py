"""mnemo recall: what people and programs get."""

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from engine import Memory, Mnemo
from engine.hypervector import hamming, random_hypervector
from tests.cli.conftest import Run

TEXTS = {f"n{n}": f"memory number {n}\nof \x1b[31mmany" for n in range(40)}
HDVS = {key: random_hypervector(key, 16_384) for key in TEXTS}
QUERY = random_hypervector("query", 16_384)


@pytest.fixture(scope="module")
def filled(module_dsn: str) -> str:
    """A database of 40 random hypervectors, of which every second is odd."""

    async def fill() -> None:
        async with Mnemo.open(module_dsn) as mnemo:
            await mnemo.remember_many(
                Memory(text, key=key, hdv=HDVS[key], context="c", attributes={"odd": n % 2 == 1})
                for n, (key, text) in enumerate(TEXTS.items())
            )

    asyncio.run(fill())
    return module_dsn


@pytest.fixture(params=["raw", "npy"])
def query_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The query in both forms that --hdv-file takes."""
    path = tmp_path / f"query.{request.param}"
    if request.param == "npy":
        np.save(path, QUERY)
    else:
        path.write_bytes(QUERY.tobytes())
    return path


def _nearest(keys: list[str], k: int) -> list[tuple[int, str]]:
    return sorted((int(hamming(HDVS[key], QUERY)), key) for key in keys)[:k]


def test_json_holds_the_nearest_memories(filled: str, mnemo: Run, query_file: Path) -> None:
    done = mnemo("--dsn", filled, "recall", "--hdv-file", str(query_file), "-k", "5", "--json")
    assert (done.code, done.err) == (0, "")
    answer = json.loads(done.out)
    assert [(hit["distance"], hit["key"]) for hit in answer["hits"]] == _nearest(list(TEXTS), 5)
    first = answer["hits"][0]
    assert first["content"] == TEXTS[first["key"]]
    assert first["similarity"] == pytest.approx(1 - first["distance"] / 16_384)
    assert first["tier"] == "hot"
    assert answer["confident"] is False
    assert answer["latency_ms"] > 0


def test_table_shows_each_hit_on_one_clean_line(filled: str, mnemo: Run, query_file: Path) -> None:
    done = mnemo("recall", "--hdv-file", str(query_file), "-k", "3", "--dsn", filled)
    lines = done.out.splitlines()
    assert lines[0].split() == ["tier", "score", "distance", "key", "content"]
    expected = [[f"{distance:,}", key] for distance, key in _nearest(list(TEXTS), 3)]
    assert [line.split()[2:4] for line in lines[1:4]] == expected
    assert lines[4].startswith("3 hits in ")
    assert "\x1b" not in done.out


def test_filter_context_and_exact(filled: str, mnemo: Run, query_file: Path) -> None:
    arguments = ["recall", "--dsn", filled, "--hdv-file", str(query_file), "--json", "--exact"]
    done = mnemo(*arguments, "--where", '{"odd": {"$ne": false}}', "--context", "c")
    # Equal distances come in the order of ids, which says nothing about keys.
    found = sorted((hit["distance"], hit["key"]) for hit in json.loads(done.out)["hits"])
    assert found == _nearest([key for key in TEXTS if int(key[1:]) % 2], 10)
    nothing = mnemo(*arguments, "--context", "elsewhere")
    assert json.loads(nothing.out)["hits"] == []


def test_text_and_variables(filled: str, mnemo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMO_DSN", filled)
    monkeypatch.setenv("MNEMO_RECALL_JSON", "1")
    monkeypatch.setenv("MNEMO_RECALL_K", "4")
    assert len(json.loads(mnemo("recall", "memory").out)["hits"]) == 4
    assert len(json.loads(mnemo("recall", "memory", "-k", "2").out)["hits"]) == 2
    monkeypatch.delenv("MNEMO_RECALL_K")
    monkeypatch.setenv("MNEMO_SEARCH__K", "7")
    assert len(json.loads(mnemo("recall", "memory").out)["hits"]) == 7


def test_times_in_json_are_iso_8601(filled: str, mnemo: Run) -> None:
    (hit,) = json.loads(mnemo("recall", "memory", "-k", "1", "--json", "--dsn", filled).out)["hits"]
    assert hit["created_at"] == datetime.fromisoformat(hit["created_at"]).isoformat()


def test_tenants_are_apart(filled: str, mnemo: Run) -> None:
    done = mnemo("--dsn", filled, "--tenant", "another", "recall", "memory", "--json")
    assert json.loads(done.out)["hits"] == []


def test_an_embedding_finds_what_was_stored_by_embeddings(filled: str, mnemo: Run, tmp_path: Path) -> None:
    vectors = np.random.default_rng(5).normal(size=(3, 8)).astype(np.float32)

    async def fill() -> None:
        async with Mnemo.open(filled) as opened:
            await opened.ensure_collection("embedded")
            rows = [Memory(f"row {n}", key=f"{n}", embedding=vector) for n, vector in enumerate(vectors)]
            await opened.remember_many(rows, collection="embedded")

    asyncio.run(fill())
    path = tmp_path / "query.npy"
    np.save(path, vectors[1])
    asked = ("--dsn", filled, "recall", "--collection", "embedded", "--embedding-file", str(path), "-k", "1")
    done = mnemo(*asked, "--json")
    (hit,) = json.loads(done.out)["hits"]
    # The words of the memory are in its hypervector too, so that it is near, not equal.
    assert hit["key"] == "1"
    assert hit["similarity"] > 0.6
    done = mnemo(*asked, "row 1", "--roles", '{"speaker": "Ann"}', "--json")
    (nearer,) = json.loads(done.out)["hits"]
    assert nearer["key"] == "1"
    assert nearer["similarity"] > hit["similarity"]
    np.save(path, vectors)
    assert "not one embedding" in mnemo(*asked).err
    path.write_bytes(b"no array")
    assert "is not a NumPy array" in mnemo(*asked).err
    assert mnemo(*asked, "--hdv-file", str(path)).code == 2


def test_x11_explain_says_why(dsn: str, mnemo: Run) -> None:
    async def fill() -> None:
        async with Mnemo.open(dsn) as opened:
            await opened.remember_many(
                Memory(text, key=str(n), context="c", session="s")
                for n, text in enumerate(
                    ["Ann: the lake at sunrise", "Ben: lovely painting!", "Ann: thank you"]
                )
            )

    asyncio.run(fill())
    question = (
        "--dsn",
        dsn,
        "recall",
        "Who liked Ann's painting of the lake?",
        "--context",
        "c",
        "-k",
        "3",
        "--explain",
    )
    done = mnemo(*question)
    assert (done.code, done.err) == (0, "")
    block = done.out[done.out.index("1. ") :].splitlines()
    lines = {line[3:]: block[n + 1 : n + 3] for n, line in enumerate(block) if line[1:3] == ". "}
    reasons, score = lines["1"]
    assert re.search(r" painting \d+%", reasons)
    assert re.search(r"; 1 before: .*lake \d+%", reasons)
    assert re.match(r"   similarity 0\.\d{3}, 0\.\d{3} by these(; score .*)?$", score)

    hits = json.loads(mnemo(*question, "--json").out)["hits"]
    for hit in hits:
        shares = [reason["share"] for reason in hit["reasons"] if reason["member"] is not None]
        assert sum(shares) == pytest.approx(1)
        assert hit["reasons"][-1]["part"] == "measured"
        assert hit["reasons"][-1]["similarity"] == pytest.approx(hit["similarity"])


def test_x11_a_hypervector_explains_nothing(filled: str, mnemo: Run, query_file: Path) -> None:
    done = mnemo("--dsn", filled, "recall", "--hdv-file", str(query_file), "--explain")
    assert done.code == 2
    assert "--explain takes a question apart" in done.err
    by_text = mnemo("--dsn", filled, "recall", "memory number 7", "-k", "1", "--explain")
    assert "note: the hypervector was given with the memory" in by_text.out
