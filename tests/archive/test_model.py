"""X6: any sequence of writes, uses and exports leaves what a dictionary says."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine import Memory, Mnemo
from engine.archive.exporting import export_step
from engine.archive.session import ArchiveSession
from engine.errors import Archived
from engine.memory import MemoryId, Tier
from tests.archive.invariants import check, everything
from tests.conftest import Connection
from tests.support.archives import opened

KEYS = st.sampled_from(["a", "b", "c", "d"])
TENANTS = st.sampled_from(["default", "other"])
ACTIONS = st.one_of(
    st.tuples(st.just("write"), KEYS, st.integers(0, 9), st.sampled_from(["cold", "cold", "hot"])),
    st.tuples(st.just("forget"), KEYS),
    st.tuples(st.just("change"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("pin"), KEYS, st.booleans()),
    st.tuples(st.just("cool"), KEYS),
    st.tuples(st.just("export")),
    st.tuples(st.just("export")),
)
SCRIPTS = st.lists(st.tuples(TENANTS, ACTIONS), min_size=5, max_size=25)
Name = tuple[str, str]


@dataclass
class Model:
    """What each tenant remembers, by key: content, hypervector, attributes; who is pinned; and where."""

    memories: dict[Name, tuple[str, bytes, dict[str, Any]]] = field(default_factory=dict)
    ids: dict[Name, UUID] = field(default_factory=dict)
    pinned: set[Name] = field(default_factory=set)
    places: dict[Name, str] = field(default_factory=dict)


def vector(number: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    return np.random.default_rng(number).integers(0, 256, 128, np.uint8)


async def act(action: Any, tenant: str, mnemo: Mnemo, session: ArchiveSession, model: Model) -> None:
    what, *arguments = action
    if what == "export":
        for (segment,) in await _cold(session):
            await export_step(session, segment)
        for name, place in model.places.items():
            if place == "cold" and name not in model.pinned:
                model.places[name] = "archive"
        return
    name = (tenant, arguments[0])
    if what == "write":
        content, hdv, tier = f"text {arguments[1]}", vector(arguments[1]), arguments[2]
        memory = Memory(content, key=name[1], hdv=hdv, attributes={"n": arguments[1]}, tier=tier)
        (model.ids[name],) = await mnemo.remember_many([memory])
        if name not in model.pinned:
            model.places[name] = tier
        model.memories[name] = (content, hdv.tobytes(), {"n": arguments[1]})
    elif name in model.memories:
        memory_id = MemoryId(model.ids[name])
        try:
            await _touch(what, arguments, name, mnemo, memory_id, model)
        except Archived:
            assert model.places[name] == "archive"


async def _touch(
    what: str, arguments: list[Any], name: Name, mnemo: Mnemo, memory_id: MemoryId, model: Model
) -> None:
    match what:
        case "forget":
            assert await mnemo.forget(memory_id)
            for known in (model.memories, model.ids, model.places):
                known.pop(name)
            model.pinned.discard(name)
        case "change":
            async with mnemo.pool.connection() as connection:
                query = "select mnemo.set_attributes(%s, jsonb_build_object('m', %s::integer))"
                await connection.execute(query, (memory_id, arguments[1]))
            model.memories[name] = (*model.memories[name][:2], {"m": arguments[1]})
        case "pin":
            await mnemo.pin(memory_id, arguments[1])
            (model.pinned.add if arguments[1] else model.pinned.discard)(name)
        case "cool":
            tier: Tier = "cold"
            moved = await mnemo.demote([memory_id], tier)
            if moved:
                model.places[name] = tier


async def _cold(session: ArchiveSession) -> list[Any]:
    query = (
        "select s.segment from mnemo.segment s where s.tier = 'cold' and s.state in ('open', 'sealed')"
        " and exists (select from mnemo.activity a where a.segment = s.segment and not a.pinned)"
        " order by s.segment"
    )
    async with session.transaction() as connection:
        return await (await connection.execute(query)).fetchall()


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(script=SCRIPTS)
def test_x6_a_dictionary_agrees(db: Connection, small_dsn: str, tmp_path: Path, script: list[Any]) -> None:
    async def run() -> None:
        model = Model()
        async with (
            opened(small_dsn, tmp_path) as (default, session),
            Mnemo.open(small_dsn, tenant="other") as other,
        ):
            # Each example begins with none, beside the segments and tombstones of those before.
            for memory_id in await everything(db, session.store):
                gone = [await mnemo.forget(MemoryId(memory_id)) for mnemo in (default, other)]
                assert sorted(gone) == [False, True]
            for tenant, action in script:
                await act(action, tenant, default if tenant == "default" else other, session, model)
            found = await check(db, session.store)
            seen = {(m.tenant, str(m.key)): (m.content, m.hdv, dict(m.attributes)) for m in found.values()}
            assert seen == model.memories
            assert {(m.tenant, m.key): m.place for m in found.values()} == model.places

    asyncio.run(run())
