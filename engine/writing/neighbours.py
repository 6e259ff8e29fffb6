"""What comes before each memory of a batch in its session: as `mnemo.encode_batch` orders them."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.memory import Memory


@dataclass(frozen=True, slots=True)
class Session:
    """The memories of a batch in one session, by their places, in order of time, then of arrival."""

    context: str
    session: str | None
    places: tuple[int, ...]


def sessions_of(
    memories: Sequence[Memory], now: datetime | None, alone: Container[int] = ()
) -> list[Session]:
    """Return the sessions of a batch; what has no context, and places `alone`, are in none.

    `now` is the time of what has none; see `needs_now`.
    """
    grouped: dict[tuple[str, str | None], list[int]] = {}
    for place, memory in enumerate(memories):
        if memory.context is not None and place not in alone:
            grouped.setdefault((memory.context, memory.session), []).append(place)

    def moment(place: int) -> tuple[bool, datetime | None]:
        known = memories[place].occurred_at or now
        return known is None, known

    return [
        Session(
            context, session, tuple(sorted(places, key=moment) if _is_dated(memories, places) else places)
        )
        for (context, session), places in grouped.items()
    ]


def needs_now(memories: Sequence[Memory]) -> bool:
    """Tell whether some memories of a session have a time and others none."""
    dated: dict[tuple[str, str | None], set[bool]] = {}
    for memory in memories:
        if memory.context is not None:
            dated.setdefault((memory.context, memory.session), set()).add(memory.occurred_at is None)
    return any(len(kinds) == 2 for kinds in dated.values())


def members(
    sessions: Sequence[Session], before: Sequence[int], tails: Mapping[int, Sequence[int]]
) -> dict[int, list[tuple[int, int]]]:
    """Return for each place in a session what counts before it: (place, share), the nearest first.

    `tails`: by the session's place in `sessions`, the places of what lies before its first memory, the
    nearest first.
    """
    found: dict[int, list[tuple[int, int]]] = {}
    for at, session in enumerate(sessions):
        line = [*reversed(tails.get(at, ())), *session.places]
        start = len(line) - len(session.places)
        for index in range(start, len(line)):
            found[line[index]] = [
                (line[index - distance], share)
                for distance, share in enumerate(before, 1)
                if share and index >= distance
            ]
    return found


def _is_dated(memories: Sequence[Memory], places: Sequence[int]) -> bool:
    return any(memories[place].occurred_at is not None for place in places)
