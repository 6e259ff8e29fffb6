"""The audit from Python: `Mnemo.audit`."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from engine.audit.entry import Anchor, AuditEntry, AuditProblem
from engine.database.errors import translate_errors
from engine.database.pool import Pool

_PAGE = 1000
_REPORT = "select mnemo.report_audit(%s::text, %s::text, %s)"
_MAY_SEE = "select mnemo.check_audit_tenant(coalesce(%s::text, mnemo.tenant()))"
_TRAIL = (
    "select e.tenant, e.seq, e.at, e.actor, e.login, e.client, e.application, e.action, e.subject,"
    " e.detail::text as detail, e.previous, e.hash"
    " from mnemo.audit e where e.tenant = coalesce(%s::text, mnemo.tenant()) and e.seq > %s"
    " order by e.seq limit %s"
)
_VERIFY = "select p.seq, p.problem from mnemo.verify_audit(coalesce(%s::text, mnemo.tenant()), %s, %s) p"
_HEAD = (
    "select coalesce(h.seq, 0), coalesce(h.hash, mnemo.audit_root())"
    " from (select coalesce(%s::text, mnemo.tenant()) as tenant) t"
    " left join mnemo.audit_head h using (tenant)"
)
_PRUNE = "select mnemo.prune_audit(%s, coalesce(%s::text, mnemo.tenant()))"
_CHAINS = "select h.tenant from mnemo.audit_head h order by h.tenant"


class Audit:
    """The audit of a tenant: by default this one's, '' for the installation. Docs: docs/audit.md.

    A role that acts for one tenant sees its audit alone; TenantRefused otherwise.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(
        self, action: str, subject: str | None = None, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Enter what only the application knows, in a transaction of its own.

        `action` is one of mnemo.audit_action that are reported: 'vault.failure' or 'event.application'.
        `detail` must hold no content and no secret.
        """
        await self._rows(_REPORT, action, subject, Jsonb(dict(detail or {})))

    async def trail(
        self, *, tenant: str | None = None, after: int = 0, most: int | None = None
    ) -> AsyncIterator[AuditEntry]:
        """Yield the entries after one, oldest first, at most so many."""
        await self._rows(_MAY_SEE, tenant)
        left = most
        while left is None or left > 0:
            wanted = _PAGE if left is None else min(left, _PAGE)
            with translate_errors():
                async with (
                    self._pool.connection() as connection,
                    connection.cursor(row_factory=class_row(AuditEntry)) as cursor,
                ):
                    await cursor.execute(_TRAIL, (tenant, after, wanted))
                    page = await cursor.fetchall()
            for entry in page:
                yield entry
            if len(page) < wanted:
                return
            after = page[-1].seq
            left = None if left is None else left - len(page)

    async def verify(self, *, tenant: str | None = None, expect: Anchor | None = None) -> list[AuditProblem]:
        """Return what is wrong with the chain, empty where all is well; `expect`: a head kept elsewhere."""
        anchor = (None, None) if expect is None else (expect.seq, expect.hash)
        return [AuditProblem(*row) for row in await self._rows(_VERIFY, tenant, *anchor)]

    async def head(self, *, tenant: str | None = None) -> Anchor:
        """Return the last entry's seq and hash, to be kept elsewhere; seq 0 where there is none."""
        await self._rows(_MAY_SEE, tenant)
        ((seq, digest),) = await self._rows(_HEAD, tenant)
        return Anchor(seq, digest)

    async def prune(self, before: datetime, *, tenant: str | None = None) -> int:
        """Remove the entries from before a time, and return how many; the rest goes on verifying."""
        ((removed,),) = await self._rows(_PRUNE, before, tenant)
        return int(removed)

    async def chains(self) -> list[str]:
        """Return the tenants that have an audit this role may see; '' is the installation."""
        return [tenant for (tenant,) in await self._rows(_CHAINS)]

    async def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with translate_errors():
            async with self._pool.connection() as connection:
                return await (await connection.execute(query.encode(), parameters)).fetchall()
