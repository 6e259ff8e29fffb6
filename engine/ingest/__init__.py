"""Files into memories: read in bounded memory, each record once however often the work is interrupted."""

from engine.ingest.fields import FieldNames
from engine.ingest.plan import Format, Outcome, Plan
from engine.ingest.run import Reporter, ingest

__all__ = ["FieldNames", "Format", "Outcome", "Plan", "Reporter", "ingest"]
