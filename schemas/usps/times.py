"""When an event happened, as far as USPS says so.

Rules (USPS's Tracking API 3.2 and what its v3 samples do):

1. `GMTTimestamp` is trusted.
2. Else an `eventTimestamp` with a real offset. A `Z` on it is none: v3 puts it on local times.
3. Else `eventTimestamp` and `GMTOffset`.
4. Else there is a local time of unknown zone, and no instant. No zone is ever guessed.

The local time is the wall clock of the scanning site as `eventTimestamp` states it.
"""

import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.event import TimeBasis, TimePrecision
from schemas.usps import flags
from schemas.usps.stamps import (
    CLOCK_END,
    COMMON_OFFSETS,
    FIRST_YEAR,
    MAX_OFFSET,
    YEAR_AFTER_LAST,
    Offset,
    Stamp,
    instant_text,
    kept_fraction,
    read_offset,
    read_stamp,
)

# Plain text, since records are made of it.
_SECOND: Final = TimePrecision.SECOND.value
_MINUTE: Final = TimePrecision.MINUTE.value
_DAY: Final = TimePrecision.DAY.value
_NO_PRECISION: Final = TimePrecision.NONE.value
_GMT_FIELD: Final = TimeBasis.GMT_FIELD.value
_OFFSET_FIELD: Final = TimeBasis.OFFSET_FIELD.value
_TIMESTAMP_OFFSET: Final = TimeBasis.TIMESTAMP_OFFSET.value
_NO_BASIS: Final = TimeBasis.NONE.value

MAX_KEPT_CHARACTERS: Final = 64
_ONE_MINUTE: Final = timedelta(minutes=1)
_FUTURE: Final = timedelta(hours=36)
_FRACTION: Final = re.compile(r"\.\d{1,6}Z", re.ASCII).fullmatch


class EventTime(NamedTuple):
    """The time fields of a scan event, as its record has them.

    Attributes:
        instant: UTC, RFC 3339; a fraction of a second only if one was stated.
        local: Wall clock: a day, or to the minute or second as stated.
        utc_offset: `+HH:MM`.
        precision: A `TimePrecision`, as text.
        basis: A `TimeBasis`, as text.
        flags: What was odd.
        unread: What could not be read, by attribute name, cut to 64 characters.
    """

    instant: str | None
    local: str | None
    utc_offset: str | None
    precision: str
    basis: str
    flags: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


# What `EventTime` names; a plain tuple is made in a third of the time, and this is a hot path.
TimeFields = tuple[
    str | None, str | None, str | None, str, str, tuple[str, ...], tuple[tuple[str, str], ...]
]


def read_event_time(stated: object, gmt: object, gmt_offset: object) -> TimeFields:
    """The `EventTime` of an event's `eventTimestamp`, `GMTTimestamp` and `GMTOffset`.

    What USPS sends nearly always is read here, all else by `_Reading`, with equal results.
    """
    if (
        type(stated) is str
        and type(gmt) is str
        # With all separators in place, `fromisoformat` is strict about the digits.
        and stated[4:17:3] == gmt[4:17:3] == "--T::"
        and FIRST_YEAR <= stated < YEAR_AFTER_LAST
    ):
        local, zone, fraction = stated[:CLOCK_END], stated[CLOCK_END:], gmt[CLOCK_END:]
        offset = COMMON_OFFSETS.get(zone or (gmt_offset if type(gmt_offset) is str else ""))
        if offset is not None and (fraction == "Z" or _FRACTION(fraction)):
            try:
                wall = datetime.fromisoformat(local)
                by_gmt = datetime.fromisoformat(gmt[:CLOCK_END]) + offset.delta
            except ValueError:
                return _Reading(stated, gmt, gmt_offset).event_time()
            if wall == by_gmt or abs(wall - by_gmt) < _ONE_MINUTE:
                instant = gmt if fraction == "Z" else _with_kept_fraction(gmt)
                return instant, local, offset.text, _SECOND, _GMT_FIELD, (), ()
    return _Reading(stated, gmt, gmt_offset).event_time()


def _with_kept_fraction(gmt: str) -> str:
    return f"{gmt[:CLOCK_END]}{kept_fraction(gmt[CLOCK_END + 1 : -1])}Z"


class _Reading:
    """One event's three time fields, read the thorough way."""

    def __init__(self, stated: object, gmt: object, gmt_offset: object) -> None:
        self._flags: list[str] = []
        self._unread: list[tuple[str, str]] = []
        self._local = self._stamp("event_timestamp_text", stated)
        self._gmt = self._gmt_stamp(gmt)
        own = self._own_offset()
        self._own_offset_stated = own is not None
        self._offset = own or self._field_offset(gmt_offset)

    def event_time(self) -> EventTime:
        """By the rules of this module, first that applies."""
        by_local = self._instant_by_local()
        if self._gmt is not None:
            return self._by_gmt(self._gmt, by_local)
        if self._local is None:
            return self._answer(None, None, _NO_PRECISION, _NO_BASIS)
        precision = _stated_precision(self._local)
        if by_local is None:
            return self._answer(None, self._local.text, precision, _NO_BASIS)
        basis = _TIMESTAMP_OFFSET if self._own_offset_stated else _OFFSET_FIELD
        instant = instant_text(by_local, self._local.fraction)
        return self._answer(instant, self._local.text, precision, basis)

    def _by_gmt(self, gmt: Stamp, by_local: datetime | None) -> EventTime:
        if by_local is not None and abs(gmt.wall - by_local) >= _ONE_MINUTE:
            self._flags.append(flags.TIME_CONTRADICTION)
        local = self._local.text if self._local is not None else None
        if local is None and self._offset is not None:
            local = (gmt.wall + self._offset.delta).isoformat()
        precision = _SECOND if gmt.has_seconds else _MINUTE
        return self._answer(instant_text(gmt.wall, gmt.fraction), local, precision, _GMT_FIELD)

    def _answer(
        self, instant: str | None, local: str | None, precision: str, basis: str
    ) -> EventTime:
        offset = self._offset.text if self._offset is not None else None
        return EventTime(
            instant, local, offset, precision, basis, tuple(self._flags), tuple(self._unread)
        )

    def _instant_by_local(self) -> datetime | None:
        if self._local is None or self._offset is None or not self._local.has_clock:
            return None
        return self._local.wall - self._offset.delta

    def _stamp(self, name: str, value: object) -> Stamp | None:
        if _is_blank(value):
            return None
        stamp = read_stamp(value) if isinstance(value, str) else None
        if stamp is None:
            self._leave(flags.TIME_UNREADABLE, name, value)
        return stamp

    def _gmt_stamp(self, value: object) -> Stamp | None:
        """`GMTTimestamp` in UTC. One without a zone is UTC by its name; a day is no instant."""
        stamp = self._stamp("gmt_timestamp_text", value)
        if stamp is None:
            return None
        offset = read_offset(stamp.zone or "Z")
        if offset is None or not stamp.has_clock:
            self._leave(flags.TIME_UNREADABLE, "gmt_timestamp_text", value)
            return None
        return stamp._replace(wall=stamp.wall - offset.delta)

    def _own_offset(self) -> Offset | None:
        """That of `eventTimestamp`, unless it is a mere `Z`."""
        if self._local is None or not self._local.zone:
            return None
        if self._local.zone in "Zz":
            self._flags.append(flags.LOCAL_TIME_LABELLED_UTC)
            return None
        offset = read_offset(self._local.zone)
        if offset is None:
            self._leave(flags.OFFSET_UNREADABLE, "event_timestamp_offset_text", self._local.zone)
        return offset

    def _field_offset(self, value: object) -> Offset | None:
        """That of `GMTOffset`, which may be blank."""
        if _is_blank(value):
            return None
        offset = read_offset(value) if isinstance(value, str) else None
        if offset is None:
            self._leave(flags.OFFSET_UNREADABLE, "gmt_offset_text", value)
        return offset

    def _leave(self, flag: str, name: str, value: object) -> None:
        """Flags what could not be read and keeps its text."""
        if flag not in self._flags:
            self._flags.append(flag)
        if isinstance(value, str):
            self._unread.append((name, value[:MAX_KEPT_CHARACTERS]))


def is_future(instant: str | None, local: str | None, received: datetime) -> bool:
    """Whether an event lies more than 36 hours after the receipt (aware, UTC).

    Without an instant: whether it does so in whatever zone the scan happened.
    """
    limit = received.replace(tzinfo=None) + _FUTURE
    if instant is not None:
        return instant[:CLOCK_END] > limit.isoformat()
    return local is not None and local > (limit + MAX_OFFSET).isoformat()


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _stated_precision(stamp: Stamp) -> str:
    if not stamp.has_clock:
        return _DAY
    return _SECOND if stamp.wall.second or stamp.fraction else _MINUTE
