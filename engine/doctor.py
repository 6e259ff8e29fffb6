"""What `mnemo.doctor` found; the checks themselves are SQL, one file each in sql/functions/doctor."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and, where it is not ok, what to do."""

    check: str
    status: Status
    detail: str
    advice: str | None
