"""Instants as text of one width, so that they compare as text: `2026-01-02T03:04:05.678Z`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\Z", re.ASCII)
_SECONDS: Final = 19
_WITHOUT_FRACTION: Final = 20


def checked_stamp(instant: str) -> str:
    """The stamp of what should be an instant of a record of ours. Raises `ValueError`."""
    if _INSTANT.match(instant) is None:
        raise ValueError("not an instant")
    found = stamp(instant)
    moment(found)
    return found


def stamp(instant: str) -> str:
    """An instant of a record of ours (UTC, any fraction) with milliseconds, cut off."""
    if len(instant) == _WITHOUT_FRACTION:
        return f"{instant[:_SECONDS]}.000Z"
    return f"{instant[:_SECONDS]}.{instant[_WITHOUT_FRACTION:-1]:0<3.3}Z"


def stamp_of(moment: datetime) -> str:
    """An aware moment; four digits of year, also before the year 1000."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def moment(instant: str) -> datetime:
    """The moment of a stamp. Raises `ValueError`."""
    return datetime.fromisoformat(instant)


def later(instant: str, span: timedelta) -> str:
    """The stamp that much later; the last there is if that is beyond the calendar."""
    try:
        return stamp_of(moment(instant) + span)
    except OverflowError:
        return "9999-12-31T23:59:59.999Z"
