"""What is wrong with the spool: said once in the log, kept for readiness, counted."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from schemas.clock import Clock
from schemas.metrics import SpoolMetrics

log = structlog.get_logger(__name__)
# After a failure the next record that tries it again may come so much later.
PAUSE_SECONDS: Final = 1.0
_BY_CODE: Final = {
    "SQLITE_FULL": "disk_full",
    "SQLITE_READONLY": "read_only",
    "SQLITE_IOERR": "io_error",
    "SQLITE_CANTOPEN": "unusable",
    "SQLITE_BUSY": "busy",
}
_TEXTS: Final = {
    "disk_full": "its disk is full; make room",
    "read_only": "it cannot be written to; correct its permissions or mount",
    "io_error": "its disk fails",
    "unusable": "it cannot be opened; correct SCANWIRE_SPOOL_DIRECTORY or its permissions",
    "busy": "another program holds its file",
    "damaged": "its file is damaged",
}


def describe_fault(error: Exception) -> str:
    """Its slug, a metric's label."""
    if isinstance(error, sqlite3.OperationalError):
        code = "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])
        return _BY_CODE.get(code, "damaged")
    return "damaged" if isinstance(error, sqlite3.Error) else "unusable"


class Troubles:
    """The present trouble, if there is one."""

    def __init__(self, path: Path, metrics: SpoolMetrics, clock: Clock) -> None:
        self._path = path
        self._metrics = metrics
        self._clock = clock
        self._reason = ""
        self._again_at = float("-inf")

    @property
    def may_try(self) -> bool:
        """All is well, or it is time to see whether it is."""
        return not self._reason or self._clock.monotonic() >= self._again_at

    def note(self, error: Exception) -> None:
        """Something failed."""
        reason = describe_fault(error)
        self._metrics.failures.labels(reason).inc()
        self._again_at = self._clock.monotonic() + PAUSE_SECONDS
        if reason != self._reason:
            log.error("spool_failed", reason=reason, path=str(self._path), error=str(error))
        self._reason = reason

    def count(self, reason: str, **fields: int) -> None:
        """Something went wrong with what it holds, not with it."""
        self._metrics.failures.labels(reason).inc()
        log.error("spool_trouble", reason=reason, path=str(self._path), **fields)

    def over(self) -> None:
        """It works."""
        if self._reason:
            log.warning("spool_works_again", path=str(self._path))
        self._reason = ""

    def notes(self) -> Sequence[str]:
        """A sentence for the operator."""
        if not self._reason:
            return []
        return [f"the spool in {self._path} cannot be used: {_TEXTS[self._reason]}"]
