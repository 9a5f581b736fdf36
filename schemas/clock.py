"""Time, passed in wherever it is used, and its text on the wire."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a program knows of time."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()


def rfc3339(instant: datetime) -> str:
    """An instant as records have it: UTC, milliseconds, `Z`."""
    # A quarter of strftime's time; it is written several times per event.
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def parse_rfc3339(text: str) -> datetime:
    """The instant of a record of ours. Raises `ValueError`."""
    return datetime.fromisoformat(text).astimezone(UTC)
