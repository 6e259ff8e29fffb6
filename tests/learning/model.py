"""What recall learns, in plain Python: one access after the other, no set, no closed form."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

Where = tuple[str, str]
Association = tuple[UUID, UUID]


@dataclass(frozen=True)
class Access:
    """One recall of a tenant in a context: its hits, best first."""

    at: datetime
    ids: tuple[UUID, ...]
    tenant: str
    context: str


@dataclass
class Model:
    """Associations and the focus of every context; the numbers are those of mnemo.setting."""

    gain: float = 0.1
    half_life: timedelta = timedelta(days=7)
    hits: int = 5
    focus: int = 8
    window: timedelta = timedelta(hours=1)
    weights: dict[Where, dict[Association, tuple[float, datetime]]] = field(default_factory=dict)
    recent: dict[Where, list[tuple[UUID, datetime]]] = field(default_factory=dict)
    last: dict[Where, Access] = field(default_factory=dict)

    def learn(self, accesses: Sequence[Access]) -> None:
        """Learn from accesses in the order of their time."""
        for access in sorted(accesses, key=lambda one: one.at):
            where = access.tenant, access.context
            ids = access.ids[: self.hits]
            pairs = {(a, b) for a in ids for b in ids if a != b}
            before = self.last.get(where)
            if before is not None and before.at > access.at - self.window:
                pairs |= {(a, b) for a in before.ids[: self.hits] for b in ids if a != b}
            weights = self.weights.setdefault(where, {})
            for pair in pairs:
                weight = self._decayed(*weights.get(pair, (0.0, access.at)), access.at)
                weights[pair] = weight + (1 - weight) * self.gain, access.at
            seen = [(one, access.at) for one in ids]
            seen += [(one, at) for one, at in self.recent.get(where, []) if one not in ids]
            self.recent[where] = seen[: self.focus]
            self.last[where] = access

    def predict(self, tenant: str, context: str, now: datetime, window: timedelta) -> dict[UUID, float]:
        """Return every memory that is predicted, and how much."""
        where = tenant, context
        missed: dict[UUID, float] = {}
        for one, seen in self.recent.get(where, []):
            fade = 1 - (now - seen) / window
            for (a, b), (weight, at) in self.weights.get(where, {}).items():
                if a == one and fade > 0:
                    missed[b] = missed.get(b, 1.0) * (1 - self._decayed(weight, at, now) * fade)
        return {b: 1 - left for b, left in missed.items()}

    def _decayed(self, weight: float, at: datetime, now: datetime) -> float:
        return float(weight * 0.5 ** ((now - at) / self.half_life))
