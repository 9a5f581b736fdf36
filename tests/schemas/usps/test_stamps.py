from datetime import timedelta

import pytest

from schemas.usps.stamps import read_instant, read_offset


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("-05:00", -300),
        ("-7:00", -420),
        ("-0500", -300),
        ("+5:30", 330),
        ("+05:30", 330),
        ("-5", -300),
        ("+10", 600),
        ("5:00", 300),
        ("0", 0),
        ("-00:00", 0),
        ("+14:00", 840),
        ("-14:00", -840),
        ("-3:30", -210),
        (" -5:00 ", -300),
        ("Z", 0),
        ("+14:01", None),
        ("-15:00", None),
        ("+99:99", None),
        ("-5:60", None),
        ("-5:0", None),
        ("-05:00:00", None),
        ("EST", None),
        ("", None),
        ("\u2212" + "5:00", None),
        ("-\u0665:00", None),
        ("-5:00" * 1000, None),
    ],
)
def test_offsets_in_every_form_seen(text: str, minutes: int | None) -> None:
    """One or two digits, with and without colon and minutes, within 14 hours."""
    offset = read_offset(text)
    assert (None if offset is None else offset.delta / timedelta(minutes=1)) == minutes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-14T16:45:42.747Z", "2026-05-14T16:45:42.747Z"),
        ("2026-05-14T16:45:42Z", "2026-05-14T16:45:42Z"),
        ("2026-05-14T16:45:42.123456789Z", "2026-05-14T16:45:42.123456Z"),
        ("2026-05-14T12:45:42.5-04:00", "2026-05-14T16:45:42.5Z"),
        ("2026-05-14T16:45:42", None),
        ("2026-05-14", None),
        ("2026-02-30T16:45:42Z", None),
        ("1789-07-14T16:45:42Z", None),
        ("2026-05-14T16:45:42+15:00", None),
        ("", None),
    ],
)
def test_the_envelopes_timestamp_is_an_instant_or_nothing(text: str, expected: str | None) -> None:
    """It needs a zone, and its `Z` is believed."""
    found = read_instant(text)
    assert (None if found is None else found[1]) == expected
