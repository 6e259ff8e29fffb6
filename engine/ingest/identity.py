"""The name of a source: a hash of everything that decides which memories it becomes."""

import asyncio
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from engine.ingest.plan import Plan

_CHUNK = 4 << 20


async def source_name(plan: Plan) -> str | None:
    """Return the name under which the position in a file is kept; None for a stream, which has no identity.

    Limits, batch sizes and the treatment of bad records are left out: they may change from run to run.
    """
    if plan.is_stream or not plan.resume:
        return None
    assert plan.path is not None
    decides = {
        "file": await _digest(plan.path),
        "embeddings": await _digest(plan.embeddings) if plan.embeddings is not None else None,
        "format": plan.format,
        "packed": plan.path.suffix.lower() == ".gz",
        "names": asdict(plan.names),
        "context": plan.context,
        "tier": plan.tier,
    }
    return "sha256:" + sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


async def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            # An interrupt gets in here.
            await asyncio.sleep(0)
    return digest.hexdigest()
