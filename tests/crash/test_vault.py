"""Kill -9 of a vault's client, and of its server, at every step: each item opens with one key, or is gone."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine.embedded import EmbeddedServer
from engine.errors import SealBroken, UnknownItem
from engine.migrate import upgrade
from engine.mnemo import Mnemo
from engine.vault.protocol import KeyHeader
from tests.crash.matrix import server_for
from tests.crash.vault_victim import NEW, act, opened
from tests.support.databases import working_migrations
from tests.support.invariants import check_invariants

pytestmark = [pytest.mark.crash, pytest.mark.slow]

CONTENTS = {"a": b"a" * 5000, "b": b"", "c": b"c" * 9000}
_PUT = ("vault.chunk_stored", "vault.finished")
_NEW_KEY = ("create before", "create after")
_DESTROY = ("vault.destroying", "destroy before", "destroy after", "vault.destroyed")
STEPS = {
    "put": _PUT,
    "replace": _PUT,
    "rotate": (*_NEW_KEY, "vault.epoch_started", "vault.rewrapped"),
    "rotate and destroy": _DESTROY,
    "shred": (*_NEW_KEY, "vault.shred_begun", "vault.rewrapped", *_DESTROY),
    "shred tenant": ("vault.tenant_shred_begun", *_DESTROY),
}
CASES = [(what, step) for what, steps in STEPS.items() for step in steps]
_HOLD: LiteralString = "select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext(%s))"
_WAITS: LiteralString = (
    "select from pg_stat_activity"
    " where datname = %s and application_name = 'mnemo' and wait_event = 'advisory'"
)
_KEYS: LiteralString = (
    "select i.name, d.id, d.epoch, d.wrapped from mnemo.vault_item i join mnemo.data_key d using (id)"
)


@dataclass
class Vaults:
    """A server with a filled vault, of which each case gets a copy with a copy of its keys."""

    server: EmbeddedServer
    folder: Path
    made: int = 0

    def copy(self) -> tuple[str, Path]:
        """Return the name of a database and the folder of its keys."""
        self.made += 1
        name, keys = f"vault_{self.made}", self.folder / f"keys {self.made}"
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as db:
            db.execute(
                sql.SQL("create database {} template mnemo strategy file_copy").format(sql.Identifier(name))
            )
        with psycopg.connect(self.server.dsn(name), autocommit=True) as db:
            db.execute("select mnemo.adopt_vault()")
        shutil.copytree(self.folder / "keys", keys)
        return name, keys


@pytest.fixture(scope="module")
def vaults() -> Iterator[Vaults]:
    """A durable server whose template holds CONTENTS, under the second of two epochs."""
    with tempfile.TemporaryDirectory(prefix="mnemo-vaults-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = server_for(folder, durable=True)
        try:
            with working_migrations(folder):
                upgrade(server.start().dsn, bits=1024, sketch_bits=64)
            asyncio.run(_fill(server.dsn("mnemo"), (folder / "keys").as_uri()))
            yield Vaults(server, folder)
        finally:
            server.stop("immediate")


async def _fill(dsn: str, keys: str) -> None:
    async with opened(dsn, keys) as mnemo:
        await mnemo.vault.put("a", CONTENTS["a"])
        await mnemo.vault.rotate()
        for name in ("b", "c"):
            await mnemo.vault.put(name, CONTENTS[name])


@pytest.mark.parametrize("killed", ["client", "server"])
@pytest.mark.parametrize(("what", "step"), CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])
async def test_each_item_opens_with_one_key_version_or_is_gone(
    vaults: Vaults, what: str, step: str, killed: str
) -> None:
    database, keys = vaults.copy()
    dsn = vaults.server.dsn(database)
    _kill_at(vaults.server, database, keys.as_uri(), what, step, killed)
    async with opened(dsn, keys.as_uri()) as mnemo:
        await _check(mnemo, dsn, what)
        # Whoever comes next finishes it, or does it again.
        if what == "shred":
            with suppress(UnknownItem):
                await mnemo.vault.resume_shredding()
                await act(mnemo, what)
        elif what == "shred tenant":
            await mnemo.vault.resume_shredding()
            await act(mnemo, what)
        else:
            await act(mnemo, what)
        await _check(mnemo, dsn, what)
        assert await mnemo.vault.resume_shredding() == ()
        assert {key.state for key in await mnemo.vault.keys()} <= {"active", "retired", "destroyed"}
        await _check_gone(vaults, mnemo, what)


def _kill_at(server: EmbeddedServer, database: str, keys: str, what: str, step: str, killed: str) -> None:
    """Start the act, and kill it, or the server, once it has reached the step."""
    in_database = step.startswith("vault.")
    dsn = server.dsn(database)
    if in_database:
        dsn = make_conninfo(
            dsn, options=f"-c mnemo.injection_point={step} -c client_connection_check_interval=50ms"
        )
    with psycopg.connect(server.dsn(database), autocommit=True) as holder:
        holder.execute(_HOLD, [step])
        argv = [
            sys.executable,
            "-m",
            "tests.crash.vault_victim",
            dsn,
            keys,
            what,
            "" if in_database else step,
        ]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as victim:
            assert victim.stdout is not None
            if in_database:
                while not holder.execute(_WAITS, [database]).rowcount:
                    assert victim.poll() is None, "the act did not pass this point"
            else:
                assert victim.stdout.readline() == "reached\n"
            if killed == "server":
                pid = server.status().pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
            victim.kill()
        if killed == "client":
            while holder.execute(_WAITS, [database]).rowcount:
                pass
    if killed == "server":
        server.start()


async def _check(mnemo: Mnemo, dsn: str, what: str) -> None:
    """Each item opens as one of its contents, by exactly one epoch's key; or it was to go, and is gone."""
    session = await mnemo.vault._session()
    epochs = await session.keys.epochs("default")
    with psycopg.connect(dsn) as db:
        check_invariants(db)
        rows = db.execute(_KEYS).fetchall()
        assert db.execute("select from mnemo.data_key").rowcount == len(rows)
        assert len(rows) == db.execute("select from mnemo.vault_item").rowcount
    for _, item, epoch, wrapped in rows:
        assert await _openers(mnemo, item, bytes(wrapped), epochs) == [epoch]
    for name, content in {**CONTENTS, "new": NEW}.items():
        allowed = {content}
        if what == "replace" and name == "b":
            allowed.add(NEW)
        try:
            assert await mnemo.vault.get(name) in allowed
        except UnknownItem:
            assert (what, name) in {("put", "new"), ("shred", "a")} or name == "new" or what == "shred tenant"


async def _check_gone(vaults: Vaults, mnemo: Mnemo, what: str) -> None:
    """What was destroyed opens from no backup: the template is one of before."""
    session = await mnemo.vault._session()
    epochs = await session.keys.epochs("default")
    with psycopg.connect(vaults.server.dsn("mnemo")) as db:
        rows = db.execute(_KEYS).fetchall()
    for _, item, epoch, wrapped in rows:
        opens = await _openers(mnemo, item, bytes(wrapped), epochs)
        assert opens == ([] if what in ("shred", "shred tenant", "rotate and destroy") else [epoch])


async def _openers(mnemo: Mnemo, item: object, wrapped: bytes, epochs: list[int]) -> list[int]:
    session = await mnemo.vault._session()
    found = []
    for epoch in epochs:
        key = await session.keys.fetch("default", epoch)
        with suppress(SealBroken):
            session.cipher.unwrap(key, KeyHeader(item, "default", epoch), wrapped)  # type: ignore[arg-type]
            found.append(epoch)
    return found
