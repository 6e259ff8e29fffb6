"""Everything Mnemo raises for a caller to catch: one class per private SQLSTATE, and the few without one."""

# They are named for what happened; "Error" after each would say it twice.
# ruff: noqa: N818

from collections.abc import Iterable
from typing import ClassVar


class MnemoError(Exception):
    """Mnemo could not do what was asked."""

    sqlstate: ClassVar[str | None] = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class InvalidHypervector(MnemoError, ValueError):
    """A hypervector does not have the length this database was installed with."""

    sqlstate = "MN001"


class InvalidArgument(MnemoError, ValueError):
    """An argument is out of its range."""

    sqlstate = "MN002"


class MalformedFilter(MnemoError, ValueError):
    """A filter is not well-formed."""

    sqlstate = "MN003"


class UnknownCollection(MnemoError, LookupError):
    """There is no such collection."""

    sqlstate = "MN004"


class UnknownMemory(MnemoError, LookupError):
    """There is no such memory."""

    sqlstate = "MN005"


class InvalidEmbedding(MnemoError, ValueError):
    """An embedding has a wrong dimension, or components that are not finite."""

    sqlstate = "MN006"


class UnknownTier(MnemoError, LookupError):
    """There is no such tier."""

    sqlstate = "MN007"


class InstallationMismatch(MnemoError):
    """The server, the database and this program do not fit together."""

    sqlstate = "MN008"


class IngestConflict(MnemoError):
    """Somebody else is storing the same source."""

    sqlstate = "MN009"


class UnknownName(MnemoError, LookupError):
    """There is no policy, job, topic, subscription, change or segment of that name."""

    sqlstate = "MN010"


class Backpressure(MnemoError):
    """A consumer group is too far behind: nothing was written, and trying again may succeed."""

    sqlstate = "MN011"


class LeaseLost(MnemoError):
    """The lease on these events ended meanwhile; another consumer has them."""

    sqlstate = "MN012"


class Archived(MnemoError, LookupError):
    """The memory is in object storage; `mnemo restore` brings it back."""

    sqlstate = "MN013"


class ArchiveConflict(MnemoError):
    """An archived segment, or its objects, are not as the call needs them: another's, or in another state."""

    sqlstate = "MN014"


class NotPermitted(MnemoError, PermissionError):
    """The role has not the rights for that; docs/security.md says which one has."""


class TenantRefused(MnemoError):
    """The role may not act for that tenant."""

    sqlstate = "MN015"


class QuotaExceeded(MnemoError):
    """The tenant has reached a limit of its quota; nothing was written."""

    sqlstate = "MN016"


class UnknownItem(MnemoError, LookupError):
    """There is no such vault item."""

    sqlstate = "MN017"


class VaultConflict(MnemoError):
    """An epoch key or a vault item is in another state than the call needs; trying again may succeed."""

    sqlstate = "MN018"


class SecretExposed(MnemoError):
    """The server would write secrets to its log, or has them in a statement."""

    sqlstate = "MN019"


class StoreUnavailable(MnemoError, ConnectionError):
    """The object store cannot be reached, or answers with errors."""


class StoreRefused(MnemoError):
    """The object store refuses: no such bucket, no permission, wrong credentials."""


class ObjectMissing(MnemoError, LookupError):
    """There is no object of that key."""


class ObjectCorrupted(MnemoError):
    """An object is not what was written: its checksum or length differs."""


class SealBroken(MnemoError):
    """What is sealed does not open: it was changed, or this is not its key or its place."""


class KeyUnavailable(MnemoError, LookupError):
    """The key store has no such key, or cannot be reached."""


class ConnectionFailed(MnemoError, ConnectionError):
    """The server cannot be reached."""


class TimedOut(MnemoError, TimeoutError):
    """The server did not answer in the time allowed."""


class Conflict(MnemoError):
    """Another transaction got in the way; nothing has changed, and trying again may succeed."""


class MigrationFailed(MnemoError):
    """A migration failed; the database is as it was before."""


class InvalidConfiguration(MnemoError, ValueError):
    """The settings hold mistakes; ``problems`` names each key, its value, what is allowed and its source."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the configuration is not valid:\n" + "\n".join(f"  {line}" for line in self.problems)
        )


BY_SQLSTATE: dict[str, type[MnemoError]] = {
    kind.sqlstate: kind for kind in MnemoError.__subclasses__() if kind.sqlstate is not None
}


def error_for(sqlstate: str | None, message: str) -> MnemoError | None:
    """Return the exception for a private SQLSTATE, or None where the code is not one of Mnemo's."""
    kind = BY_SQLSTATE.get(sqlstate or "")
    return kind(message) if kind else None
