"""What seals the things of a vault, and what keeps the keys that this needs; adapters/crypto implements both.

Three kinds of keys, 32 bytes each. A *data key* belongs to one item; all that its layers use is derived from
it. An *epoch key* belongs to one tenant and epoch, lives in a `KeyStore` outside the database, and wraps data
keys. An *index key* makes blind indexes; it is a data key that seals nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from engine.errors import InvalidArgument

SCHEME: Final = 1
KEY_BYTES: Final = 32
SEAL_BYTES: Final = 33
WRAPPED_BYTES: Final = 61
BLIND_BYTES: Final = 16
LAST_POSITION: Final = 2**31 - 1
LAST_EPOCH: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ItemHeader:
    """What is sealed: every sealed chunk opens under exactly the header that it was sealed under.

    `kind` names the sort of content, such as ``memory``. Keys differ by it, so what one item seals under
    different kinds is independent. `version` is the scheme.
    Raises InvalidArgument where tenant or kind cannot be stored, or the scheme is not 1 to 255.
    """

    item: UUID
    tenant: str
    kind: str
    version: int = SCHEME

    def __post_init__(self) -> None:
        _check_text("tenant", self.tenant)
        _check_text("kind", self.kind)
        if not 1 <= self.version <= 255:
            raise InvalidArgument("the version of a scheme is a number from 1 to 255")


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """Whose data key is wrapped, and under which epoch; what wraps it is bound to all of this.

    Raises InvalidArgument as ItemHeader does, and for an epoch that is not 1 to 2^31 - 1.
    """

    item: UUID
    tenant: str
    epoch: int
    version: int = SCHEME

    def __post_init__(self) -> None:
        _check_text("tenant", self.tenant)
        check_epoch(self.epoch)
        if not 1 <= self.version <= 255:
            raise InvalidArgument("the version of a scheme is a number from 1 to 255")


@dataclass(frozen=True, slots=True)
class Destruction:
    """What became of a key: from the aware moment `final_at` nobody can bring it back; `final`: it is past.

    Before that moment the key already answers nobody, but its store could be told to restore it.
    """

    final: bool
    final_at: datetime


class Cipher(Protocol):
    """The two client layers, the key of the third, wrapped keys and blind indexes; pure computation.

    One data key seals one content. Nonces are derived from the position, so a put that is tried again, or a
    changed value, takes a new data key: two contents under one key, kind and position would betray both.
    Whatever does not open raises SealBroken, with one message for every reason; keys, wherever they are
    taken, must have 32 bytes (InvalidArgument).
    """

    def new_data_key(self) -> bytes:
        """Return 32 random bytes."""

    def seal(self, data_key: bytes, header: ItemHeader, position: int, last: bool, plaintext: bytes) -> bytes:
        """Return the chunk of this position (from 0 to 2^31 - 1), sealed: SEAL_BYTES longer.

        `last` marks the item's last chunk. An item of one small value is one chunk: position 0, last.
        """

    def open(self, data_key: bytes, header: ItemHeader, position: int, last: bool, sealed: bytes) -> bytes:
        """Return the plaintext; SealBroken unless all of it is what was sealed, here, under this header."""

    def database_key(self, data_key: bytes, header: ItemHeader) -> str:
        """Return the passphrase of pgcrypto's layer: 64 lower-case hexadecimal digits."""

    def wrap(self, epoch_key: bytes, header: KeyHeader, data_key: bytes) -> bytes:
        """Return the data key, wrapped: WRAPPED_BYTES, another result each time."""

    def unwrap(self, epoch_key: bytes, header: KeyHeader, wrapped: bytes) -> bytes:
        """Return the data key; SealBroken unless it was wrapped by this key, for this header."""

    def blind(self, index_key: bytes, field: str, value: Any) -> bytes:
        """Return BLIND_BYTES that are equal for equal values of a field, as jsonb compares them.

        `value` is JSON: None, bool, int, finite float or Decimal, str, and lists and mappings of these; else
        InvalidArgument. 1 equals 1.0, and the order of an object's keys does not count. Who reads blind
        indexes learns which rows share a value, and how often, but no value.
        """

    def check_value(self, epoch_key: bytes) -> bytes:
        """Return 16 bytes that tell a wrong epoch key from the right one, and reveal nothing of it."""


class KeyStore(Protocol):
    """The epoch keys of tenants, kept where no backup of the database brings them back.

    Epochs are numbers from 1; who calls never uses one again after `destroy`. Every method raises
    KeyUnavailable where the store cannot do what was asked or cannot be reached, and InvalidArgument for a
    tenant or epoch that cannot be. A store belongs to the event loop in which it was opened.
    """

    @property
    def url(self) -> str:
        """Where it is, without credentials."""

    @property
    def makes_keys(self) -> bool:
        """Whether `create` makes keys; else people do, and it finds what they made."""

    async def create(self, tenant: str, epoch: int) -> bytes | None:
        """Make the key of this epoch (32 bytes), durable on return; None where the number is taken.

        It is while the store has a key of that number, for whomever, and as long as it knows that it had one.
        Of callers at the same moment one gets the key. A store that makes no keys returns what people made,
        and KeyUnavailable says what they have to do.
        """

    async def fetch(self, tenant: str, epoch: int) -> bytes:
        """Return the key of this epoch; KeyUnavailable where it is not, or no more."""

    async def destroy(self, tenant: str, epoch: int) -> Destruction:
        """Destroy the key of this epoch for good; one that is gone already is fine."""

    async def epochs(self, tenant: str) -> list[int]:
        """Return the epochs whose keys `fetch` would return, in order."""


def check_epoch(epoch: int) -> None:
    """Raise InvalidArgument unless this can number an epoch."""
    if not 1 <= epoch <= LAST_EPOCH:
        raise InvalidArgument(f"an epoch is a number from 1 to {LAST_EPOCH}")


def check_key_name(tenant: str, epoch: int) -> None:
    """Raise InvalidArgument unless a key can be of this tenant and epoch."""
    _check_text("tenant", tenant)
    check_epoch(epoch)


def _check_text(name: str, text: str) -> None:
    # PostgreSQL stores neither; what differs here must differ there.
    if not text or "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidArgument(f"the {name} is empty or no text that can be stored")
