"""JSON log lines."""

import io
import json
import logging
from datetime import datetime

from engine.logs import JsonFormatter


def test_a_record_is_one_json_object_with_its_extra_keys() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("engine.test")
    logger.addHandler(handler)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("batch %d of %s failed", 3, "café", extra={"rows": 10, "path": io})
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == (
        "error",
        "engine.test",
        "batch 3 of café failed",
    )
    assert entry["rows"] == 10
    assert "two\nlines" in entry["error"]
    assert datetime.fromisoformat(entry["time"]).utcoffset() is not None
