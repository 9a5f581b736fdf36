"""Timestamps and UTC offsets in the forms that USPS writes them."""

import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple

MAX_OFFSET: Final = timedelta(hours=14)

_MAX_FRACTION_DIGITS: Final = 6
_MINUTES_PER_HOUR: Final = 60
CLOCK_END: Final = 19  # of 2026-05-14T08:10:00
# Outside these years a timestamp is a typing error.
FIRST_YEAR: Final = "1990"
YEAR_AFTER_LAST: Final = "2101"

_DAY: Final = r"(?:199\d|20\d\d|2100)-\d\d-\d\d"
_CLOCK: Final = r"T\d\d:\d\d:\d\d"
_UTC: Final = re.compile(rf"{_DAY}{_CLOCK}(?:\.\d{{1,6}})?Z", re.ASCII).fullmatch
_STAMP: Final = re.compile(
    rf"({_DAY})"
    r"(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))? ?(Z|[+-]\d{1,2}(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
).fullmatch
_OFFSET: Final = re.compile(r"([+-]?)(\d{1,2})(?::?(\d\d))?", re.ASCII).fullmatch


class Offset(NamedTuple):
    """A distance from UTC: `-07:00`, and as a timedelta."""

    text: str
    delta: timedelta


class Stamp(NamedTuple):
    """A timestamp as stated.

    Attributes:
        wall: Naive, without the fraction; midnight if only a day is stated.
        text: As stated, without fraction and zone.
        has_clock: False for a day alone.
        has_seconds: Whether seconds are written, if only `:00`.
        fraction: `.041`; empty if none or zero.
        zone: `Z`, `-07:00` …; empty if none.
    """

    wall: datetime
    text: str
    has_clock: bool
    has_seconds: bool
    fraction: str
    zone: str


def read_stamp(text: str) -> Stamp | None:
    """A timestamp or date as USPS writes them; None if it is neither, or out of 1990-2100."""
    found = _STAMP(text.strip())
    if found is None:
        return None
    day, minute, seconds, fraction, zone = found.groups()
    stated = f"{day}T{minute}{seconds or ''}" if minute else day
    try:
        wall = datetime.fromisoformat(stated)
    except ValueError:
        return None
    return Stamp(
        wall, stated, minute is not None, seconds is not None, kept_fraction(fraction), zone or ""
    )


def kept_fraction(digits: str | None) -> str:
    """A fraction of a second as records have it: at most six digits, nothing for zero."""
    kept = (digits or "")[:_MAX_FRACTION_DIGITS]
    return f".{kept}" if kept.strip("0") else ""


def read_offset(text: str) -> Offset | None:
    """An offset in any form seen (`-05:00`, `-7:00`, `-0500`, `-5`, `Z`); None if unreadable.

    More than 14 hours either way is no offset.
    """
    found = _OFFSET("0" if text in ("Z", "z") else text.strip())
    if found is None:
        return None
    sign, hours, minutes = found.groups(default="0")
    distance = timedelta(hours=int(hours), minutes=int(minutes))
    if distance > MAX_OFFSET or int(minutes) >= _MINUTES_PER_HOUR:
        return None
    negative = sign == "-" and bool(distance)
    written = f"{'-' if negative else '+'}{int(hours):02}:{int(minutes):02}"
    return Offset(written, -distance if negative else distance)


def _common_offsets() -> dict[str, Offset]:
    forms = ("{:+03}:{:02}", "{:+}:{:02}", "{:+03}{:02}")
    texts = [
        form.format(hours, minutes)
        for form in forms
        for hours in range(-12, 15)
        for minutes in (0, 30, 45)
    ]
    return {text: offset for text in texts if (offset := read_offset(text)) is not None}


# The offsets in use, in the forms seen; this is a hot path.
COMMON_OFFSETS: Final = _common_offsets()


def read_instant(text: str) -> tuple[datetime, str] | None:
    """An instant with a zone: naive UTC, and as a record has it. None if it is no instant.

    For the envelope's `timestamp`, whose `Z` can be trusted: a computer of USPS's makes it.
    """
    if _UTC(text):
        try:
            return datetime.fromisoformat(text[:CLOCK_END]), text
        except ValueError:
            return None
    stamp = read_stamp(text)
    offset = read_offset(stamp.zone) if stamp is not None else None
    if stamp is None or offset is None or not stamp.has_clock:
        return None
    instant = stamp.wall - offset.delta
    return instant, instant_text(instant, stamp.fraction)


def instant_text(instant: datetime, fraction: str) -> str:
    """A naive UTC datetime of whole seconds, as a record has it."""
    return f"{instant.isoformat()}{fraction}Z"
