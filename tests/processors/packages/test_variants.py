"""Twins of one scan from feeds that state less."""

from typing import Any

import pytest

from tests.processors.packages.story import Scan, scan, told, update

FULL = scan("01", "2026-11-01T14:00", zip_code="10001", city="NEW YORK")
EXTRACT: dict[str, Any] = {"channel": "scan_event_extract", "at": "2026-11-03T00:00:00Z"}


@pytest.mark.parametrize(
    "less",
    [
        scan("01", "2026-11-01", zip_code="10001"),
        scan("01", "2026-11-01T14:00", zip_code=None, city="New York "),
        scan("01", "2026-11-01T14:00", zip_code=None, city=None),
        scan("01", "2026-11-01", zip_code=None, city=None),
    ],
    ids=["day only", "no ZIP", "no place", "day only, no place"],
)
@pytest.mark.parametrize("full_first", [True, False])
def test_a_twin_names_the_one_it_may_be(less: Scan, *, full_first: bool) -> None:
    """Whichever came first: the second is published under its own id, and says whose twin it is."""
    first, second = (FULL, less) if full_first else (less, FULL)
    story = told(update(scan("OF", "2026-11-01T08:00"), first))
    (twin,) = story.tell(update(second, **EXTRACT))
    assert twin["event_id"] != first["event_id"]
    assert (twin["variant_of"], twin["first_in_category"]) == (first["event_id"], False)
    assert story.counts["variant"] == 1


@pytest.mark.parametrize(
    "other",
    [
        scan("01", "2026-11-01T15:00", zip_code=None, city=None),
        scan("01", "2026-11-02", zip_code="10001"),
        scan("01", "2026-11-01", zip_code="90001"),
        scan("01", "2026-11-01T14:00", zip_code=None, city="BOSTON"),
        scan("02", "2026-11-01", zip_code="10001"),
        scan("01", "2026-11-01T16:00", zip_code="10001"),
        scan("01", None, zip_code="10001"),
    ],
    ids=["minute", "day", "ZIP", "city", "code", "as much stated", "no time"],
)
def test_what_differs_in_something_stated_is_no_twin(other: Scan) -> None:
    """Nothing that both state may differ, and one of them must state less."""
    story = told(update(FULL))
    (event,) = story.tell(update(other, **EXTRACT))
    assert event["variant_of"] is None


def test_two_candidates_make_no_twin() -> None:
    """Delivered twice that day: of which one is the day-only event the twin? Nobody knows."""
    story = told(update(FULL, scan("01", "2026-11-01T17:00", zip_code="10001")))
    (event,) = story.tell(update(scan("01", "2026-11-01", zip_code="10001"), **EXTRACT))
    assert event["variant_of"] is None


def test_one_history_has_no_twins() -> None:
    """A feed does not tell one scan twice at a time."""
    less = scan("01", "2026-11-01", zip_code="10001")
    assert told(update(FULL, less)).of("variant_of") == [None, None]
    story = told(update(FULL))
    (event,) = story.tell(update(FULL, less, at="2026-11-03T00:00:00Z"))
    assert event["variant_of"] is None


def test_twins_of_twins_name_the_first() -> None:
    """A vaguer one still has one candidate: the scan itself."""
    story = told(
        update(FULL),
        update(scan("01", "2026-11-01", zip_code="10001"), **EXTRACT),
        update(
            scan("01", "2026-11-01", zip_code=None, city=None),
            channel="api",
            at="2026-11-04T00:00:00Z",
        ),
    )
    assert story.of("variant_of") == [None, FULL["event_id"], FULL["event_id"]]


def test_a_twin_does_not_pass_for_the_first_of_its_category() -> None:
    """But it is first if no candidate is known."""
    story = told(update(scan("01", "2026-11-01", zip_code="10001")))
    assert story.of("first_in_category") == [True]
