"""The time by which packages puts an event in order, to know what it counted as too old."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.clock import rfc3339
from schemas.usps.zones import local_instant


def order_time(event: Mapping[str, Any]) -> str:
    """The UTC instant if known, else local time at the ZIP's zone, else the receipt."""
    instant: str | None = event["event_time"]
    if instant is not None:
        return rfc3339(datetime.fromisoformat(instant))
    local: str | None = event["event_local_time"]
    if local is not None:
        return rfc3339(local_instant(datetime.fromisoformat(local), event["zip"]))
    received_at: str = event["received_at"]
    return received_at
