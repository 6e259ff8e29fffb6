"""What the audit consists of."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from engine.errors import InvalidArgument

INSTALLATION = ""
"""The tenant of acts that concern no tenant."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """An entry's seq and hash (32 bytes): kept elsewhere, it proves that nothing up to it has changed."""

    seq: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes: SEQ:HASH, the hash in hexadecimal."""
        seq, _, digest = text.strip().partition(":")
        try:
            anchor = cls(int(seq), bytes.fromhex(digest))
        except ValueError:
            anchor = cls(-1, b"")
        if anchor.seq < 0 or len(anchor.hash) != 32:
            raise InvalidArgument(f"an anchor is SEQ:HASH, as mnemo audit head prints it, not {text!r}")
        return anchor

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. `at` is by the real clock; `tenant` '' is the installation.

    `actor` is the role that acted, `login` the one that logged in, `client` its address (None: local),
    `application` what it calls itself. `detail` is JSON as PostgreSQL writes it: the hash is of this text.
    """

    tenant: str
    seq: int
    at: datetime
    actor: str
    login: str
    client: str | None
    application: str | None
    action: str
    subject: str | None
    detail: str
    previous: bytes
    hash: bytes

    def exported(self) -> dict[str, Any]:
        """Return what a line of an exported trail holds; docs/audit.md checks such lines without Mnemo."""
        return {
            "tenant": self.tenant,
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "login": self.login,
            "client": self.client,
            "application": self.application,
            "action": self.action,
            "subject": self.subject,
            "detail": self.detail,
            "previous": self.previous.hex(),
            "hash": self.hash.hex(),
        }


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """What is wrong with a chain, at the entry `seq` where it shows."""

    seq: int
    problem: str
