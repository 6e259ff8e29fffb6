"""What every piece of work on a vault has: the database, the key store, the cipher."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from psycopg.rows import class_row

from engine.database.errors import translate_errors
from engine.database.pool import Connection, Pool
from engine.errors import KeyUnavailable, NotPermitted
from engine.vault.items import VaultKey
from engine.vault.protocol import Cipher, KeyStore

_ACTIVE = "select tenant, epoch, check_value, next from mnemo.active_epoch()"


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of a tenant and its key."""

    tenant: str
    number: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultSession:
    """A database, its key store, and what seals."""

    pool: Pool
    keys: KeyStore
    cipher: Cipher
    chunk_bytes: int

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """Open a transaction on a connection of its own; errors are those of Mnemo.

        With `snapshot` it repeats its reads and writes nothing.
        """
        try:
            with translate_errors():
                async with self.pool.connection() as connection, connection.transaction():
                    if snapshot:
                        await connection.execute("set transaction isolation level repeatable read, read only")
                    yield connection
        except NotPermitted as error:
            raise NotPermitted(
                f"vaults, and what is sealed, are for members of mnemo_vault: {error}"
            ) from error

    @asynccontextmanager
    async def silent(self, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """Open a transaction that may carry secrets as parameters; SecretExposed where they are logged."""
        async with self.transaction(snapshot=snapshot) as connection:
            await connection.execute("select mnemo.require_unlogged()")
            yield connection

    async def active(self, connection: Connection) -> Epoch | None:
        """Return the epoch to wrap under now; None: the tenant has none.

        Raises KeyUnavailable where the key store has not its key, or another.
        """
        before = None
        while True:
            row = await (await connection.execute(_ACTIVE)).fetchone()
            assert row is not None
            tenant, number, check_value, _ = row
            if number is None:
                return None
            try:
                key = await self.keys.fetch(tenant, number)
            except KeyUnavailable:
                # Another epoch may have taken its place, and it been destroyed, since the row was read.
                if number == before:
                    raise
                before = number
            else:
                return Epoch(tenant, number, self.checked(number, key, check_value))

    async def new_epoch(self) -> tuple[Epoch, bytes]:
        """Make the key of the next epoch in the key store, and return it with its check value.

        Nothing is told to the database: who fails after that leaves a key that opens nothing. A number that
        the store has a key for is left out: it is that of another database with a tenant of this name, which
        may destroy it. VaultConflict in a copy of the database that the keys belong to. KeyUnavailable where
        the keys of before lie in another store, or on a disk that is not mounted: those of one tenant in two
        places could never be used together.
        """
        async with self.transaction() as connection:
            await connection.execute("select mnemo.require_vault_home()")
            row = await (await connection.execute(_ACTIVE)).fetchone()
        assert row is not None
        tenant, _, _, number = row
        taken = await self.keys.epochs(tenant) if self.keys.makes_keys else []
        for known in (await self.epochs()).values():
            if known.state == "active" and (
                known.store != self.keys.url or (self.keys.makes_keys and not taken)
            ):
                # One that was moved has them all.
                self.checked(known.epoch, await self.keys.fetch(tenant, known.epoch), known.check_value)
        number = max([number, *(epoch + 1 for epoch in taken)])
        while (key := await self.keys.create(tenant, number)) is None:
            number += 1
        return Epoch(tenant, number, key), self.cipher.check_value(key)

    async def discard(self, epoch: Epoch) -> None:
        """Destroy the key of an epoch that was made here and refused: it opens nothing, and may cost."""
        if self.keys.makes_keys:
            with suppress(KeyUnavailable):
                await self.keys.destroy(epoch.tenant, epoch.number)

    async def epochs(self) -> Mapping[int, VaultKey]:
        """Return what the database knows of each epoch of the tenant."""
        async with (
            self.transaction() as connection,
            connection.cursor(row_factory=class_row(VaultKey)) as cursor,
        ):
            await cursor.execute("select * from mnemo.vault_keys()")
            return {key.epoch: key for key in await cursor.fetchall()}

    def checked(self, epoch: int, key: bytes, check_value: bytes) -> bytes:
        """Return a key that is the one of the epoch; KeyUnavailable for another."""
        if self.cipher.check_value(key) != bytes(check_value):
            raise KeyUnavailable(
                f"the key store has another key for epoch {epoch} than the vault was sealed with"
            )
        return key

    async def one(self, query: str, *parameters: Any) -> Any:
        """Run a statement in a transaction of its own; return the first column of its first row."""
        async with self.transaction() as connection:
            row = await (await connection.execute(query.encode(), parameters)).fetchone()
        return row and row[0]
