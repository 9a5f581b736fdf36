"""What a state lets go of: the oldest of more than 2,000 events, all of a silent piece."""

from datetime import UTC, datetime, timedelta

import orjson

from processors.packages.line import Line
from processors.packages.trim import Due, capped, due, due_at, trimmed
from schemas.package import MAX_EVENTS_PER_NUMBER, PackageState
from tests.processors.packages.story import (
    OTHER_MID,
    Scan,
    Story,
    journey,
    same_as_model,
    scan,
    told,
    update,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def many(first: int, last: int) -> list[Scan]:
    """Facility scans a minute apart."""
    return [
        scan("10", (START + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M"))
        for number in range(first, last)
    ]


def test_more_than_the_most_drops_the_oldest() -> None:
    """The state stays bounded; the sequence goes on."""
    story = Story()
    for first in range(0, 2_100, 70):
        story.tell(update(*many(first, first + 70), at="2026-01-03T00:00:00Z"))
    state = story.state
    assert state is not None
    assert len(state["event_ids"]) == MAX_EVENTS_PER_NUMBER
    assert (state["sequence"], state["events_seen"]) == (2_100, 2_100)
    assert state["trimmed_through"] == "2026-01-01T06:39:00.000Z"
    assert state["first_event_at"] == "2026-01-01T05:00:00.000Z"


def test_a_dropped_event_is_too_old_to_come_again() -> None:
    """It is not published a second time, and counted."""
    story = Story()
    for first in range(0, 2_100, 70):
        story.tell(update(*many(first, first + 70), at="2026-01-03T00:00:00Z"))
    assert story.tell(update(*many(0, 50), at="2026-01-03T01:00:00Z")) == []
    assert story.counts["too_old"] == 50
    assert story.tell(update(*many(2_050, 2_100), at="2026-01-03T02:00:00Z")) == []


def test_what_was_dropped_still_counts() -> None:
    """Category, categories published and evidence of the piece outlive the events."""
    story = told(update(*journey("2026-01-05")))
    assert story.state is not None
    state = same_as_model(PackageState, capped(story.state, 1))
    assert [one["event_code"] for one in state["events"]] == ["01"]
    assert state["past"]["category"] == "out_for_delivery"
    assert Line(state, state["events"], moved=False).tail.category == "delivered"
    story.state = state
    later = scan("OF", "2026-01-06T09:00")
    (event,) = story.tell(update(later, mid=OTHER_MID, at="2026-01-06T20:00:00Z"))
    assert not event["first_in_category"]
    assert [one["mid"] for one in event["piece_evidence"]] == ["912345678", OTHER_MID]


def test_dropping_step_by_step_comes_to_the_same() -> None:
    """The past of a past is the whole past."""
    story = told(update(*journey("2026-01-05")))
    assert story.state is not None
    at_once = capped(story.state, 2)
    by_steps = story.state
    for limit in (6, 5, 4, 3, 2):
        by_steps = capped(by_steps, limit)
    assert by_steps == at_once


def test_a_silent_piece_keeps_little() -> None:
    """120 days after the last event: sequence, piece, category and the last event's time."""
    story = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    assert story.state is not None
    state = same_as_model(PackageState, trimmed(story.state))
    assert (state["event_ids"], state["events"], state["last_event"]) == ([], [], None)
    assert (state["sequence"], state["piece"], state["category"]) == (7, 1, "delivered")
    assert state["trimmed_through"] == state["last_event_at"] == "2026-01-06T04:30:00.000Z"
    assert len(orjson.dumps(state)) < 1_000


def test_what_comes_after_the_silence_goes_on_in_sequence() -> None:
    """A repeat is too old, a later scan is of the same piece, a label begins the next."""
    story = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    assert story.tell(update(*journey("2026-01-05"), at="2026-06-01T00:00:00Z")) == []
    assert story.counts["too_old"] == 7
    (scanned,) = story.tell(update(scan("10", "2026-06-02T10:00"), at="2026-06-02T20:00:00Z"))
    assert (scanned["sequence"], scanned["piece"]) == (8, 1)
    assert not scanned["first_in_category"]
    labelled = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    (label,) = labelled.tell(update(scan("GX", "2026-06-02T10:00"), at="2026-06-02T20:00:00Z"))
    assert (label["sequence"], label["piece"], label["first_in_category"]) == (8, 2, True)


def test_an_event_without_a_time_is_known_for_ever() -> None:
    """No time can tell it from a repeat, so its id is kept when the others go."""
    timeless = scan("NT", zip_code=None, city=None)
    story = told(update(*journey("2026-01-05"), timeless, at="2026-01-06T00:00:00Z"))
    later = update(timeless, scan("GX", "2026-06-02T10:00"), at="2026-06-02T20:00:00Z")
    (label,) = story.tell(later)
    assert label["event_code"] == "GX"
    assert story.counts["repeat"] == 1


def test_an_old_history_that_comes_late_is_not_silent_yet() -> None:
    """A piece learnt of only now is kept 120 days from now, however old its events are."""
    story = told(update(*journey("2025-01-05")[:4], at="2026-01-06T00:00:00Z"))
    assert len(story.tell(update(*journey("2025-01-05"), at="2026-01-07T00:00:00Z"))) == 3
    assert story.counts["too_old"] == 0


def test_what_is_due_when() -> None:
    """Nothing, then trimming after 120 days, then nothing, then forgetting after two years."""
    story = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    state = story.state
    assert state is not None
    assert due(state, "2026-05-06T00:00:00.000Z") is Due.NOTHING
    assert due(state, "2026-05-06T05:00:00.000Z") is Due.TRIM
    assert datetime.fromtimestamp(due_at(state), UTC).isoformat() == "2026-05-07T00:00:00+00:00"
    small = trimmed(state)
    assert due(small, "2026-05-07T00:00:00.000Z") is Due.NOTHING
    assert due(small, "2028-01-06T05:00:00.000Z") is Due.FORGET
    assert due(state, "2028-01-06T05:00:00.000Z") is Due.FORGET
    assert datetime.fromtimestamp(due_at(small), UTC).isoformat() == "2028-01-07T00:00:00+00:00"
