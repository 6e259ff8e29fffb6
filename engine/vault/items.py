"""What a vault holds, and what became of what it held."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

ItemKind = Literal["memory", "conversation", "codebase"]
KeyState = Literal["active", "retired", "destroying", "destroyed"]


@dataclass(frozen=True, slots=True)
class VaultItem:
    """What can be known of an item without its key."""

    id: UUID
    tenant: str
    kind: ItemKind
    name: str
    metadata: dict[str, Any]
    bytes: int
    """Of the content; of a codebase, of its tar stream."""
    stored_bytes: int
    chunks: int
    chunk_bytes: int
    files: int | None
    """Of a codebase; None: it is none."""
    happened_at: datetime
    created_at: datetime
    scheme: Literal["client", "sql"]
    """client: sealed here, by three layers; sql: stored by mnemo.vault_put."""
    version: int


@dataclass(frozen=True, slots=True)
class VaultKey:
    """An epoch key of a tenant: that it is, never what it is."""

    epoch: int
    store: str
    check_value: bytes
    state: KeyState
    data_keys: int
    """Wrapped by it."""
    created_at: datetime
    retired_at: datetime | None
    destroyed_at: datetime | None
    final_at: datetime | None
    """From when on nobody can bring it back."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did."""

    epoch: int
    """The active one now."""
    rewrapped: int
    """Data keys that moved under it."""
    destroyed: tuple[int, ...]
    """Epochs whose keys the key store has no more."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was shredded, and when its keys ceased to be; the same is in the audit."""

    shredding: UUID
    final_at: datetime | None
    """From when on nobody can bring the keys back; None: there were none."""
    document: Mapping[str, Any]
    """Items (ids, hashes of their names), memories, epochs destroyed, who and when, as JSON."""
