"""With every kind of logging on: no key and no content in logs, in views of what runs, or in errors."""

import base64
import shutil
import subprocess
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from adapters.crypto.file_keys import FileKeys
from adapters.crypto.layers import Layers
from engine.config import Settings
from engine.embedded import EmbeddedServer
from engine.errors import MnemoError, SecretExposed
from engine.migrate import upgrade
from engine.mnemo import Mnemo
from tests.support.databases import working_migrations
from tests.vault.conftest import CHUNK

pytestmark = pytest.mark.slow

CONTENT = b"canary content, which nobody may see" * 300
LOGGING = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_messages": "debug1",
    "log_min_error_statement": "debug1",
    "log_error_verbosity": "verbose",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_transaction_sample_rate": "1",
    "debug_print_parse": "on",
    "debug_print_plan": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "track_activity_query_size": "100kB",
}
VIEWS: tuple[LiteralString, ...] = (
    "select t::text from pg_stat_activity t",
    "select t::text from pg_stat_statements t",
    "select t::text from mnemo.audit t",
    "select t::text from mnemo.vault_item t",
    "select t::text from mnemo.vault_key t",
    "select t::text from mnemo.shredding t",
)


@pytest.fixture(scope="module")
def talkative() -> Iterator[EmbeddedServer]:
    """A server that logs whatever it can, with an installation."""
    folder = Path(tempfile.mkdtemp(prefix="mnemo-leaks-"))
    folder.chmod(0o755)
    quiet = EmbeddedServer(folder / "data", settings={"fsync": "off"})
    try:
        with working_migrations(folder):
            upgrade(quiet.start().dsn, bits=1024, sketch_bits=64)
        quiet.stop()
        server = EmbeddedServer(folder / "data", settings={"fsync": "off", **LOGGING})
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def dumped(server: EmbeddedServer, dsn: str) -> bytes:
    """Return what pg_dump makes of a database."""
    command = [str(server.binary("pg_dump")), dsn]
    return subprocess.run(command, env=server.environment(), capture_output=True, check=True).stdout


class Secrets:
    """What must be nowhere: every key that was made or derived, and the content."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: set[bytes] = {CONTENT[:36]}
        new_data_key, database_key, create = Layers.new_data_key, Layers.database_key, FileKeys.create

        def noted(key: bytes) -> bytes:
            self.found.add(key)
            return key

        def derived(cipher: Layers, data_key: bytes, header: object) -> str:
            key = database_key(cipher, data_key, header)  # type: ignore[arg-type]
            self.found |= {bytes.fromhex(key)}
            return key

        async def created(store: FileKeys, tenant: str, epoch: int) -> bytes | None:
            key = await create(store, tenant, epoch)
            return key and noted(key)

        monkeypatch.setattr(Layers, "new_data_key", lambda cipher: noted(new_data_key(cipher)))
        monkeypatch.setattr(Layers, "database_key", derived)
        monkeypatch.setattr(FileKeys, "create", created)

    def spellings(self) -> list[bytes]:
        """Return each as it is, in hexadecimal and in base64, as texts and dumps would have it."""
        spelled = []
        for secret in self.found:
            printed = repr(secret).encode()[2:-1]
            spelled += [secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"="), printed]
        return spelled

    def seen_in(self, text: bytes) -> list[bytes]:
        """Return which of them a text shows."""
        folded = text.lower()
        return [secret for secret in self.spellings() if secret.lower() in folded]


async def test_no_secret_is_logged_or_shown(
    talkative: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets, shown = Secrets(monkeypatch), ""
    dsn = talkative.dsn("mnemo")
    settings = Settings(dsn=dsn, vault={"keys": (tmp_path / "keys").as_uri(), "chunk_bytes": CHUNK})
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        vault = mnemo.vault
        await vault.put("a", CONTENT)
        await vault.put_conversation("talk", [{"content": CONTENT.decode()}])
        await vault.put_codebase("code", {"f": CONTENT})
        assert await vault.get("a") == CONTENT
        await vault.export("code", tmp_path / "code")
        await vault.rotate()
        await vault.put("a", CONTENT + b"2", replace=True)
        await vault.shred(["talk"])
        for broken in ("update mnemo.vault_chunk set body = body || 'x'", "delete from mnemo.data_key"):
            await vault.put("broken", CONTENT, replace=True)
            with psycopg.connect(dsn, autocommit=True) as db:
                db.execute(broken)
            for act in (vault.get("broken"), vault.put("broken", CONTENT), vault.put("", CONTENT)):
                with pytest.raises(MnemoError) as refusal:
                    await act
                shown += "".join(traceback.format_exception(refusal.value))
        shown += repr(vault) + repr(await vault._session()) + repr(await vault.keys())
        await vault.shred_tenant()
    key = b"canary key of the caller"
    secrets.found.add(key)
    with psycopg.connect(dsn) as db:
        db.execute("create extension pg_stat_statements")
        db.execute("select mnemo.require_unlogged()")
        db.execute("select mnemo.vault_put('sql', %b, %b)", [CONTENT, key])
        for wrong in (key, b"another key of the caller"):
            with suppress(psycopg.Error), db.transaction():
                db.execute("select mnemo.vault_get('sql', %b)", [wrong])
        for view in VIEWS:
            shown += "\n".join(row[0] for row in db.execute(view).fetchall())
    logs = b"".join(path.read_bytes() for path in (talkative.status().data_dir / "log").iterdir())
    # It did log what it was to log.
    assert b"mnemo.vault_put_chunk" in logs
    assert b"mnemo.vault_get" in logs
    assert len(secrets.found) > 10
    assert secrets.seen_in(logs) == []
    assert secrets.seen_in(shown.encode()) == []


async def test_private_memories_show_in_no_log_and_no_dump(talkative: EmbeddedServer, tmp_path: Path) -> None:
    """N12: content and sealed attributes, neither word by word, nor the value that is looked for."""
    dsn = talkative.dsn("mnemo")
    settings = Settings(dsn=dsn, vault={"keys": (tmp_path / "keys").as_uri()})
    text, illness = "xylophones of quetzalcoatl", "canarylumbago"
    async with Mnemo.open(dsn, settings=settings) as mnemo:
        await mnemo.create_collection("ward", sealed=["illness", "$content"])
        fields = {"collection": "ward", "context": "c", "session": "s"}
        for number in range(3):
            await mnemo.remember(f"{text} {number}", attributes={"illness": illness}, **fields)
        recall = await mnemo.recall("what was heard", collection="ward", where={"illness": illness})
        assert sorted(hit.content for hit in recall) == [f"{text} {number}" for number in range(3)]
        assert recall[0].attributes["illness"] == illness
        await mnemo.vault.rotate()
        await mnemo.demote([recall[0].memory_id], "cold")
        await mnemo.vault.shred(memories=[recall[0].memory_id])
    with psycopg.connect(dsn) as db:
        views = "\n".join(row[0] for view in VIEWS for row in db.execute(view).fetchall())
    dump = dumped(talkative, dsn)
    assert b"mnemo-sealed:" in dump
    logs = b"".join(path.read_bytes() for path in (talkative.status().data_dir / "log").iterdir())
    assert b"mnemo.register_seals" in logs
    for word in (*text.split(), illness, "quetzal"):
        if word != "of":
            for place in (logs, views.encode(), dump):
                assert word.encode() not in place.lower()


async def test_the_test_would_find_a_leak(
    talkative: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = Secrets(monkeypatch)
    secrets.found.add(b"canary that is not hidden")
    with psycopg.connect(talkative.dsn("mnemo")) as db:
        db.execute("select %b::bytea", [b"canary that is not hidden"])
    logs = b"".join(path.read_bytes() for path in (talkative.status().data_dir / "log").iterdir())
    assert secrets.seen_in(logs) != []


async def test_a_server_that_cannot_be_silenced_gets_no_secret(
    talkative: EmbeddedServer, tmp_path: Path
) -> None:
    dsn = talkative.dsn("mnemo")
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("alter database mnemo set session_preload_libraries = 'auto_explain'")
        db.execute("alter database mnemo set auto_explain.log_min_duration = 0")
    settings = Settings(dsn=dsn, vault={"keys": (tmp_path / "keys").as_uri()})
    try:
        async with Mnemo.open(dsn, settings=settings) as mnemo:
            with pytest.raises(SecretExposed, match=r"auto_explain\.log_min_duration = -1"):
                await mnemo.vault.put("a", CONTENT)
            assert "a" not in {item.name for item in await mnemo.vault.list()}
    finally:
        with psycopg.connect(dsn, autocommit=True) as db:
            db.execute("alter database mnemo reset all")
