from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.usps.zones import local_instant, zip_ranges, zone_of_zip

SUMMER = datetime(2026, 7, 1, 12, 0)  # noqa: DTZ001 local times are what is tested
WINTER = datetime(2026, 1, 1, 12, 0)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("zip5", "winter", "summer"),
    [
        ("10001", -5, -4),  # New York
        ("60601", -6, -5),  # Chicago
        ("80202", -7, -6),  # Denver
        ("90001", -8, -7),  # Los Angeles
        ("85001", -7, -7),  # Phoenix keeps no DST
        ("86040", -7, -7),  # Page, beside the Navajo Nation
        ("86515", -7, -6),  # Window Rock: the Navajo Nation does
        ("86045", -7, -6),  # Tuba City, too
        ("86042", -7, -7),  # Polacca: the Hopi within it do not
        ("46204", -5, -4),  # Indianapolis
        ("47708", -6, -5),  # Evansville, Indiana, is central
        ("46402", -6, -5),  # Gary, Indiana
        ("40202", -5, -4),  # Louisville
        ("42101", -6, -5),  # Bowling Green, Kentucky
        ("37201", -6, -5),  # Nashville
        ("37902", -5, -4),  # Knoxville
        ("37405", -5, -4),  # Chattanooga
        ("33101", -5, -4),  # Miami
        ("32501", -6, -5),  # Pensacola, in the panhandle
        ("49801", -6, -5),  # Iron Mountain, Michigan
        ("48201", -5, -4),  # Detroit
        ("58102", -6, -5),  # Fargo
        ("58601", -7, -6),  # Dickinson, North Dakota
        ("57104", -6, -5),  # Sioux Falls
        ("57701", -7, -6),  # Rapid City
        ("68102", -6, -5),  # Omaha
        ("69361", -7, -6),  # Scottsbluff, Nebraska
        ("67202", -6, -5),  # Wichita
        ("67735", -7, -6),  # Goodland, Kansas
        ("77001", -6, -5),  # Houston
        ("79901", -7, -6),  # El Paso
        ("83702", -7, -6),  # Boise
        ("83814", -8, -7),  # Coeur d'Alene, Idaho
        ("97201", -8, -7),  # Portland
        ("97914", -7, -6),  # Ontario, Oregon
        ("89883", -7, -6),  # West Wendover, Nevada
        ("96813", -10, -10),  # Honolulu
        ("99501", -9, -8),  # Anchorage
        ("99546", -10, -9),  # Adak
        ("00901", -4, -4),  # San Juan
        ("00802", -4, -4),  # St Thomas
        ("00501", -5, -4),  # Holtsville, New York, beside them in number
        ("96910", 10, 10),  # Guam
        ("96799", -11, -11),  # Pago Pago
    ],
)
def test_offsets_of_known_places(zip5: str, winter: int, summer: int) -> None:
    """Split states, places without DST and the islands have their own offsets."""
    assert local_instant(WINTER, zip5) == WINTER.replace(tzinfo=UTC) - timedelta(hours=winter)
    assert local_instant(SUMMER, zip5) == SUMMER.replace(tzinfo=UTC) - timedelta(hours=summer)


def test_the_zone_has_a_name() -> None:
    """The zone of a ZIP is one of tzdata's."""
    assert zone_of_zip("86515") == ZoneInfo("America/Denver")


@pytest.mark.parametrize("zip5", ["34001", "09012", "09999", "96201", "96599"])
def test_military_zips_have_no_zone(zip5: str) -> None:
    """AA, AE and AP are addresses, not places."""
    assert zone_of_zip(zip5) is None


@pytest.mark.parametrize(
    "zip5", ["", "00000", "1234", "123456", "12345-6789", "1234a", " 1234", "\uff11" * 5, "88888"]
)
def test_what_is_no_zip_has_no_zone(zip5: str) -> None:
    """Other texts and unassigned ZIPs have no zone."""
    assert zone_of_zip(zip5) is None


@pytest.mark.parametrize("zip5", [None, "", "00000", "09012", "nowhere"])
def test_unknown_place_counts_as_utc_minus_six(zip5: str | None) -> None:
    """Without a zone the middle of the country stands in, summer and winter."""
    assert local_instant(SUMMER, zip5) == SUMMER.replace(tzinfo=UTC) + timedelta(hours=6)


@pytest.mark.parametrize("fold", [0, 1])
def test_repeated_hour_counts_as_its_first(fold: int) -> None:
    """01:30 occurs twice on 2026-11-01 in New York: the one in daylight time is taken."""
    local = datetime(2026, 11, 1, 1, 30, fold=fold)  # noqa: DTZ001
    assert local_instant(local, "10001") == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_skipped_hour_is_shifted_forward() -> None:
    """02:30 does not occur on 2026-03-08 in New York: it counts as 03:30 daylight time."""
    local = datetime(2026, 3, 8, 2, 30)  # noqa: DTZ001
    assert local_instant(local, "10001") == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


@given(st.datetimes(), st.none() | st.sampled_from(["10001", "96910", "96799"]) | st.text())
def test_any_time_and_place_has_an_instant(local: datetime, zip5: str | None) -> None:
    """No year and no text raises, and the instant is within a day of the local time."""
    instant = local_instant(local, zip5)
    assert instant.tzinfo is UTC
    assert abs(instant.replace(tzinfo=None) - local) < timedelta(days=1)


def test_ranges_are_sorted_and_do_not_overlap() -> None:
    """What bisection relies on: each range ends before the next begins."""
    ranges = zip_ranges()
    assert len(ranges.first) == len(ranges.last) == len(ranges.zone)
    assert all(first <= last for first, last in zip(ranges.first, ranges.last, strict=True))
    pairs = zip(ranges.last, ranges.first[1:], strict=False)
    assert all(last < first for last, first in pairs)
