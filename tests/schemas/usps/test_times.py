from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.event import Instant, LocalTime, TimeBasis, TimePrecision, UtcOffset
from schemas.usps.times import EventTime, is_future, read_event_time
from tests.schemas.usps.feed import JSON, RECEIVED

LOCAL = "2026-05-14T08:10:00"


GMT = "2026-05-14T15:10:00Z"


def time_of(stated: object, gmt: object, gmt_offset: object) -> EventTime:
    """The time of three fields, by name."""
    return EventTime(*read_event_time(stated, gmt, gmt_offset))


@pytest.mark.parametrize(
    ("stated", "gmt", "gmt_offset", "expected"),
    [
        # GMTTimestamp is trusted, whatever else there is.
        (f"{LOCAL}-07:00", GMT, "-7:00", (GMT, LOCAL, "-07:00", "second", "gmt_field")),
        (LOCAL, GMT, "-07:00", (GMT, LOCAL, "-07:00", "second", "gmt_field")),
        (LOCAL, GMT, None, (GMT, LOCAL, None, "second", "gmt_field")),
        ("2026-05-14", GMT, "-7:00", (GMT, "2026-05-14", "-07:00", "second", "gmt_field")),
        (None, GMT, "-7:00", (GMT, LOCAL, "-07:00", "second", "gmt_field")),
        (None, GMT, None, (GMT, None, None, "second", "gmt_field")),
        (None, "2026-05-14T15:10:00", None, (GMT, None, None, "second", "gmt_field")),
        (None, "2026-05-14T17:10:00+02:00", "", (GMT, None, None, "second", "gmt_field")),
        (None, "2026-05-14T15:10Z", None, (GMT, None, None, "minute", "gmt_field")),
        # Minutes in the local time, seconds in UTC: no contradiction.
        (
            "2026-05-14T08:10:00",
            "2026-05-14T15:10:41Z",
            "-07:00",
            ("2026-05-14T15:10:41Z", LOCAL, "-07:00", "second", "gmt_field"),
        ),
        # Then an offset of the timestamp's own.
        (f"{LOCAL}-07:00", None, "-5:00", (GMT, LOCAL, "-07:00", "minute", "timestamp_offset")),
        (f"{LOCAL}-0700", "", None, (GMT, LOCAL, "-07:00", "minute", "timestamp_offset")),
        (
            "2026-05-14T08:10:31+05:30",
            None,
            None,
            ("2026-05-14T02:40:31Z", "2026-05-14T08:10:31", "+05:30", "second", "timestamp_offset"),
        ),
        (
            f"{LOCAL}+00:00",
            None,
            None,
            (f"{LOCAL}Z", LOCAL, "+00:00", "minute", "timestamp_offset"),
        ),
        # Then the offset field.
        (LOCAL, None, "-7:00", (GMT, LOCAL, "-07:00", "minute", "offset_field")),
        (
            "2026-05-14T08:10",
            None,
            "-7",
            (GMT, "2026-05-14T08:10", "-07:00", "minute", "offset_field"),
        ),
        ("2026-05-14 08:10:00", None, "-7:00", (GMT, LOCAL, "-07:00", "minute", "offset_field")),
        # Else no instant is made up.
        (LOCAL, None, None, (None, LOCAL, None, "minute", "none")),
        (LOCAL, None, "  ", (None, LOCAL, None, "minute", "none")),
        ("2026-05-14", None, "-7:00", (None, "2026-05-14", "-07:00", "day", "none")),
        ("2026-05-14", None, None, (None, "2026-05-14", None, "day", "none")),
        (None, None, "-7:00", (None, None, "-07:00", "none", "none")),
        (None, None, None, (None, None, None, "none", "none")),
        ("", " ", "", (None, None, None, "none", "none")),
    ],
)
def test_each_way_of_stating_a_time(
    stated: str | None, gmt: str | None, gmt_offset: str | None, expected: tuple[str | None, ...]
) -> None:
    """The first field that can be trusted gives the instant; the wall clock stays as stated."""
    assert time_of(stated, gmt, gmt_offset) == (*expected, (), ())


@pytest.mark.parametrize("gmt_offset", ["+15:00", "-99:00", "local", -5, -5.0, True, ["-5:00"], {}])
def test_an_unreadable_offset_is_flagged(gmt_offset: object) -> None:
    """The event keeps its local time, has no instant, and says why."""
    time = time_of(LOCAL, None, gmt_offset)
    assert time[:5] == (None, LOCAL, None, "minute", "none")
    assert time.flags == ("offset_unreadable",)
    kept = (("gmt_offset_text", gmt_offset),) if isinstance(gmt_offset, str) else ()
    assert time.unread == kept


def test_an_offset_of_the_timestamp_is_checked_too() -> None:
    """One beyond 14 hours is none, and the offset field is asked instead."""
    time = time_of(f"{LOCAL}-17:00", None, "-7:00")
    assert time[:5] == (GMT, LOCAL, "-07:00", "minute", "offset_field")
    assert time.flags == ("offset_unreadable",)
    assert time.unread == (("event_timestamp_offset_text", "-17:00"),)


@pytest.mark.parametrize(
    ("gmt", "gmt_offset", "expected"),
    [
        (None, None, (None, LOCAL, None, "minute", "none")),
        (None, "-7:00", (GMT, LOCAL, "-07:00", "minute", "offset_field")),
        (GMT, "-7:00", (GMT, LOCAL, "-07:00", "second", "gmt_field")),
    ],
)
@pytest.mark.parametrize("label", ["Z", "z", ".000Z", " Z"])
def test_a_local_time_labelled_utc_is_not_believed(
    label: str, gmt: str | None, gmt_offset: str | None, expected: tuple[str | None, ...]
) -> None:
    """A `Z` on eventTimestamp is no offset: v3 puts it on local times."""
    time = time_of(f"{LOCAL}{label}", gmt, gmt_offset)
    assert time[:5] == expected
    assert time.flags == ("local_time_labelled_utc",)


@pytest.mark.parametrize(
    "stated",
    [
        "May 14, 2026, 8:10 am",
        "2026-05-14T25:10:00",
        "2026-02-30T08:10:00",
        "2026-13-01",
        "1989-12-31T23:59:59",
        "2101-01-01T00:00:00",
        "0001-01-01T00:00:00-14:00",
        "9999-12-31T23:59:59+14:00",
        "20260514T081000",
        "2026-W20-4T08:10:00",
        "2026-05-14T08:10:60",
        "2026-05-14T08:10:00,5",
        "\u0662\u0660\u0662\u0666-05-14",
    ],
)
def test_an_unreadable_time_is_flagged_and_kept(stated: str) -> None:
    """What is no date of 1990 to 2100 is no time; its text is kept."""
    time = time_of(stated, None, None)
    assert time[:5] == (None, None, None, "none", "none")
    assert time.flags == ("time_unreadable",)
    assert time.unread == (("event_timestamp_text", stated),)


@pytest.mark.parametrize("gmt", ["soon", "2026-05-14", "2026-05-14T15:10:00+15:00", 1778771400])
def test_an_unreadable_gmt_timestamp_gives_way(gmt: object) -> None:
    """The next field in order is used; the flag tells."""
    time = time_of(f"{LOCAL}-07:00", gmt, None)
    assert time[:5] == (GMT, LOCAL, "-07:00", "minute", "timestamp_offset")
    assert time.flags == ("time_unreadable",)


@pytest.mark.parametrize("year", ["1989", "2101"])
def test_years_out_of_range_are_unreadable_in_both_fields(year: str) -> None:
    """Also where local time, offset and GMTTimestamp agree."""
    time = time_of(f"{year}-05-14T08:10:00-07:00", f"{year}-05-14T15:10:00Z", "-7:00")
    assert time[:5] == (None, None, "-07:00", "none", "none")
    assert time.flags == ("time_unreadable",)


def test_kept_texts_are_cut() -> None:
    """What cannot be read is kept up to 64 characters."""
    assert time_of("x" * 1000, None, None).unread == (("event_timestamp_text", "x" * 64),)


@pytest.mark.parametrize(
    ("gmt", "instant"),
    [
        ("2026-05-14T15:10:00.041Z", "2026-05-14T15:10:00.041Z"),
        ("2026-05-14T15:10:00.5Z", "2026-05-14T15:10:00.5Z"),
        ("2026-05-14T15:10:00.000Z", GMT),
        ("2026-05-14T15:10:00.123456789Z", "2026-05-14T15:10:00.123456Z"),
        ("2026-05-14T15:10:00.000000789Z", GMT),
    ],
)
@pytest.mark.parametrize("stated", [LOCAL, f"{LOCAL}-07:00", None])
def test_fractions_of_seconds_are_kept(gmt: str, instant: str, stated: str | None) -> None:
    """Up to six digits, and none where they say nothing."""
    assert time_of(stated, gmt, "-7:00").instant == instant


def test_a_fraction_of_the_local_time_is_in_the_instant_only() -> None:
    """The local time has seconds at most."""
    time = time_of("2026-05-14T08:10:00.25-07:00", None, None)
    assert (time.instant, time.local) == ("2026-05-14T15:10:00.25Z", LOCAL)
    assert time.precision == "second"


@pytest.mark.parametrize(
    ("stated", "gmt_offset"), [(f"{LOCAL}-05:00", "-7:00"), (LOCAL, "-5:00"), (f"{LOCAL}-0500", "")]
)
def test_gmt_wins_a_contradiction(stated: str, gmt_offset: str) -> None:
    """A local time and an offset that give another instant are flagged, not followed."""
    time = time_of(stated, GMT, gmt_offset)
    assert time[:5] == (GMT, LOCAL, "-05:00", "second", "gmt_field")
    assert time.flags == ("time_contradiction",)


@pytest.mark.parametrize(
    ("stated", "gmt", "future"),
    [
        (None, "2026-05-16T04:45:43Z", False),
        (None, "2026-05-16T04:45:44Z", True),
        (LOCAL, None, False),
        # 36 hours, and 14 for the zone that is furthest ahead.
        ("2026-05-16T18:45:43", None, False),
        ("2026-05-16T18:45:44", None, True),
        ("2026-05-16", None, False),
        ("2026-05-17", None, True),
        (None, None, False),
    ],
)
def test_the_future_begins_after_36_hours(
    stated: str | None, gmt: str | None, future: bool
) -> None:
    """A clock may be off by a day; where the zone is unknown every one is allowed for."""
    instant, local, *_ = read_event_time(stated, gmt, None)
    assert is_future(instant, local, RECEIVED) is future


# Naive, as a wall clock is.
FIRST, LAST = datetime.fromisoformat("1990-01-02"), datetime.fromisoformat("2100-12-30")


STAMPS = st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0))


OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))


def offset_text(offset: timedelta, form: str) -> str:
    """An offset written so."""
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta(0) else "+"
    return form.format(sign=sign, hours=minutes // 60, minutes=minutes % 60)


@settings(deadline=None)
@given(
    STAMPS,
    OFFSETS,
    st.sampled_from(["{sign}{hours:02}:{minutes:02}", "{sign}{hours}:{minutes:02}"]),
    st.booleans(),
)
def test_the_instant_is_the_local_time_less_the_offset(
    local: datetime, offset: timedelta, form: str, in_timestamp: bool
) -> None:
    """However USPS states local time and offset, both of its feeds give the same instant."""
    written = offset_text(offset, form)
    stated = local.isoformat() + (written if in_timestamp else "")
    instant = (local - offset).isoformat() + "Z"
    without_gmt = time_of(stated, None, None if in_timestamp else written)
    with_gmt = time_of(stated, instant, written)
    assert without_gmt.instant == instant
    assert without_gmt[:3] == with_gmt[:3]
    assert (with_gmt.precision, with_gmt.basis) == ("second", "gmt_field")
    assert without_gmt.flags == with_gmt.flags == ()


# As the model of a scan event has them.
TIME_FIELDS: TypeAdapter[tuple[object, ...]] = TypeAdapter(
    tuple[Instant | None, LocalTime | None, UtcOffset | None, TimePrecision, TimeBasis]
)


FIELD = (
    JSON
    | st.sampled_from([LOCAL, f"{LOCAL}-07:00", GMT, "2026-05-14", "-7:00", "+14:00", "Z"])
    | st.from_regex(
        r"\A(199\d|20\d\d|2100)-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(\.\d+)?)?[+Z-]?[\d:]{0,5}\Z"
    )
)


@settings(deadline=None, max_examples=300)
@given(FIELD, FIELD, FIELD)
def test_any_three_fields_have_an_answer(stated: object, gmt: object, gmt_offset: object) -> None:
    """Whatever the fields hold, the answer fits the record, and is the same again."""
    time = time_of(stated, gmt, gmt_offset)
    assert time == time_of(stated, gmt, gmt_offset)
    TIME_FIELDS.validate_python(time[:5])
    is_future(time.instant, time.local, RECEIVED)
