"""Who did what: a chain of entries a tenant, each with the hash of the one before."""

from engine.audit.api import Audit
from engine.audit.entry import Anchor, AuditEntry, AuditProblem

__all__ = ["Anchor", "Audit", "AuditEntry", "AuditProblem"]
