"""What is new, in order, and what a piece comes to: journeys, repeats, late and odd scans."""

import pytest

from tests.processors.packages.story import NUMBER, Story, journey, scan, told, update


def test_a_whole_journey_is_published_once_oldest_first() -> None:
    """Every event of the first history is new; the category grows with each."""
    story = told(update(*reversed(journey())))
    assert story.of("event_code") == ["GX", "03", "10", "10", "07", "OF", "01"]
    assert story.of("sequence") == [1, 2, 3, 4, 5, 6, 7]
    assert story.of("package_category") == [
        "pre_shipment",
        "accepted",
        "in_transit",
        "in_transit",
        "arrived",
        "out_for_delivery",
        "delivered",
    ]
    assert story.of("first_in_category") == [True, True, True, False, True, True, True]
    assert not any(story.of("late"))
    assert not any(story.of("new_evidence"))


def test_a_growing_history_brings_one_event_at_a_time() -> None:
    """Each callback repeats the past and adds one: one event is published each time."""
    scans = journey()
    story = Story()
    for count in range(1, len(scans) + 1):
        assert len(story.tell(update(*scans[:count], at=f"2026-11-02T00:0{count}:00Z"))) == 1
    assert story.of("sequence") == list(range(1, 8))
    assert story.counts == {"new": 7, "repeat": 21}


def test_a_repeat_changes_nothing() -> None:
    """The same callback again: nothing is published, no state is written, it is counted."""
    story = told(update(*journey()))
    before = story.state
    assert story.tell(update(*journey(), at="2026-11-03T00:00:00Z")) == []
    assert story.state == before
    assert story.counts["repeat"] == 7


def test_a_history_of_99_events_is_taken_whole() -> None:
    """As many as USPS ever states."""
    scans = [
        scan("10", f"2026-11-{day:02d}T{hour:02d}:{minute:02d}")
        for day in range(1, 4)
        for hour in range(11)
        for minute in (0, 20, 40)
    ]
    story = told(update(*scans))
    assert story.of("sequence") == list(range(1, 100))
    assert story.state is not None
    assert story.state["events_seen"] == 99


def test_a_late_scan_is_published_late_and_moves_nothing_back() -> None:
    """A scan older than what is known keeps its place in the past."""
    story = told(update(*journey()))
    (late,) = story.tell(
        update(scan("10", "2026-11-01T16:00", zip_code="75201"), at="2026-11-02T05:00:00Z")
    )
    assert (late["late"], late["sequence"], late["package_category"]) == (True, 8, "delivered")
    assert (story.category, story.counts["late"]) == ("delivered", 1)


def test_the_first_late_scan_of_a_category_is_first_in_it() -> None:
    """A customer who never heard of the acceptance still may."""
    story = told(update(scan("01", "2026-11-01T23:30")))
    (late,) = story.tell(update(scan("03", "2026-11-01T10:00")))
    assert (late["late"], late["first_in_category"]) == (True, True)


@pytest.mark.parametrize(
    ("code", "category"),
    [("OF", "out_for_delivery"), ("02", "attempted"), ("01", "delivered")],
)
def test_a_later_physical_scan_says_otherwise(code: str, category: str) -> None:
    """Delivered, and then a carrier has it in hand after all."""
    story = told(update(*journey()))
    (after,) = story.tell(update(scan(code, "2026-11-02T09:00"), at="2026-11-02T16:00:00Z"))
    assert after["package_category"] == category == story.category
    assert after["late"] is False


@pytest.mark.parametrize("code", ["MA", "GX", "NT", "DX", "GC", "ZZ", "59"])
def test_what_no_one_scanned_moves_nothing_back(code: str) -> None:
    """Manifests, assumptions and unknown codes after the delivery leave it delivered."""
    story = told(update(*journey()))
    (after,) = story.tell(update(scan(code, "2026-11-02T09:00"), at="2026-11-02T16:00:00Z"))
    assert after["package_category"] == "delivered" == story.category
    assert story.state is not None
    assert story.state["last_event"]["event_code"] == "01"


def test_an_assumed_event_moves_forward() -> None:
    """NT after the acceptance: in transit, though nobody scanned it."""
    story = told(update(scan("03", "2026-11-01T10:00"), scan("NT", "2026-11-01T18:00")))
    assert story.of("package_category") == ["accepted", "in_transit"]


def test_an_unknown_code_counts_only_while_nothing_else_does() -> None:
    """It flows as unknown; the first that means something takes over."""
    story = told(update(scan("Q7", "2026-11-01T10:00")), update(scan("GX", "2026-11-01T09:00")))
    assert story.of("category") == ["unknown", "pre_shipment"]
    assert story.of("package_category") == ["unknown", "pre_shipment"]


def test_a_re_used_number_begins_a_new_piece() -> None:
    """A label 130 days after the last event of the number is of another piece."""
    story = told(update(*journey("2026-01-05"), at="2026-01-06T00:00:00Z"))
    again = story.tell(update(*journey("2026-05-20"), at="2026-05-21T00:00:00Z"))
    assert [event["piece"] for event in again] == [2] * 7
    assert [event["sequence"] for event in again] == list(range(8, 15))
    assert again[0]["package_category"] == "pre_shipment"
    assert again[1]["first_in_category"]
    assert not any(event["late"] for event in again)
    assert story.state is not None
    assert (story.state["piece"], story.category) == (2, "delivered")


def test_a_re_used_number_is_seen_within_one_history_too() -> None:
    """Both pieces in one answer: the numbers follow the order of the events."""
    both = [*journey("2026-01-05"), *journey("2026-05-20")]
    story = told(update(*reversed(both), at="2026-05-21T00:00:00Z"))
    assert story.of("piece") == [1] * 7 + [2] * 7
    assert story.of("package_category")[6:8] == ["delivered", "pre_shipment"]


def test_a_scan_that_opens_nothing_stays_with_its_piece() -> None:
    """A delivery scan after a long sleep is of the piece that slept."""
    story = told(update(*journey("2026-01-05")[:4], at="2026-01-06T00:00:00Z"))
    (late,) = story.tell(update(scan("01", "2026-06-20T10:00"), at="2026-06-20T20:00:00Z"))
    assert (late["piece"], late["package_category"]) == (1, "delivered")


def test_an_acceptance_that_is_known_late_opens_its_piece_in_the_right_place() -> None:
    """What was published keeps its number; what comes after follows the new piece."""
    first, later = journey("2026-01-05"), journey("2026-05-20")
    story = told(
        update(*first, later[2], at="2026-05-21T00:00:00Z"),
        update(later[1], at="2026-05-21T01:00:00Z"),
        update(later[4], at="2026-05-21T02:00:00Z"),
    )
    assert story.of("piece") == [1] * 8 + [2, 2]
    assert story.category == "arrived"


def test_order_within_a_minute_is_by_what_a_scan_means() -> None:
    """Arrived and out for delivery in one minute: arrived comes first."""
    story = told(update(scan("OF", "2026-11-01T08:00"), scan("07", "2026-11-01T08:00")))
    assert story.of("event_code") == ["07", "OF"]
    assert story.category == "out_for_delivery"


def test_order_is_by_the_instant_where_it_is_known() -> None:
    """Local clocks of two zones would say otherwise."""
    arrived = scan("07", "2026-11-01T08:30", gmt="2026-11-01T16:30:00Z", zip_code="90001")
    left = scan("10", "2026-11-01T09:00", gmt="2026-11-01T14:00:00Z", zip_code="10001")
    assert told(update(arrived, left)).of("event_code") == ["10", "07"]


def test_order_of_local_times_is_by_the_zone_of_the_zip() -> None:
    """Nine in New York is before half past eight in Los Angeles."""
    arrived = scan("07", "2026-11-01T08:30", zip_code="90001")
    left = scan("10", "2026-11-01T09:00", zip_code="10001")
    assert told(update(arrived, left)).of("event_code") == ["10", "07"]


def test_a_day_alone_counts_from_its_start() -> None:
    """It lies before everything of that day that states a time."""
    story = told(update(scan("OF", "2026-11-01T08:00"), scan("03", "2026-11-01")))
    assert story.of("event_code") == ["03", "OF"]


def test_an_event_without_a_time_lies_where_it_first_was_received() -> None:
    """And a repeat that was received earlier moves it there."""
    timeless = scan("NT", zip_code=None, city=None)
    story = told(update(timeless, at="2026-11-02T12:00:00Z"))
    assert story.state is not None
    assert story.state["events"][0]["ordered_at"] == "2026-11-02T12:00:00.000Z"
    assert story.tell(update(timeless, at="2026-11-02T11:00:00Z")) == []
    assert story.state["events"][0]["ordered_at"] == "2026-11-02T11:00:00.000Z"


def test_a_clock_years_ahead_does_not_rule_for_years() -> None:
    """A scan dated more than 36 hours ahead is published, and put in order by its receipt."""
    story = told(update(scan("01", "2031-01-01T00:00"), at="2026-11-02T00:00:00Z"))
    (after,) = story.tell(update(scan("OF", "2026-11-02T09:00"), at="2026-11-02T16:00:00Z"))
    assert (after["late"], story.category) == (False, "out_for_delivery")


def test_the_event_that_decided_is_told_in_full() -> None:
    """Also when a late scan made an event decide that was known for long."""
    delivered, assumed = scan("07", "2026-11-01T10:00"), scan("NT", "2026-11-01T18:00")
    story = told(update(delivered, assumed))
    assert story.state is not None
    assert story.state["last_event"]["event_code"] == "07"
    story.tell(
        update(delivered, scan("03", "2026-11-01T12:00"), assumed, at="2026-11-02T01:00:00Z")
    )
    assert (story.category, story.state["last_event"]["event_code"]) == ("in_transit", "NT")


def test_other_words_for_a_known_scan_are_counted() -> None:
    """Same id, other text, seconds or reason code: restated, and nothing is published."""
    story = told(update(scan("10", "2026-11-01T10:00", text="Arrived")))
    assert story.tell(update(scan("10", "2026-11-01T10:00", text="Departed"))) == []
    assert story.tell(update(scan("10", "2026-11-01T10:00", text="Arrived", reason="7"))) == []
    assert story.counts["restated"] == 2


def test_equal_scans_in_one_history_are_told_apart_by_their_ids() -> None:
    """What the receiver gave another ordinal is another event."""
    one = scan("10", "2026-11-01T10:00")
    twin = {**one, "event_id": "0" * 32}
    assert len(told(update(one, twin)).published) == 2
    assert told(update(one, one)).counts == {"new": 1, "repeat": 1}


def test_the_newest_expectation_is_told() -> None:
    """By when USPS reported it, not by when it came; another piece begins without one."""
    scans = journey()
    story = told(
        update(
            scans[0],
            expected={"expected_delivery_date": "2026-11-05"},
            reported_at="2026-11-01T12:00:00Z",
        ),
        update(
            scans[1],
            expected={"predicted_delivery_date": "2026-11-07"},
            reported_at="2026-11-01T18:00:00Z",
        ),
        update(
            scans[2],
            expected={"expected_delivery_date": "2026-11-06"},
            reported_at="2026-11-01T15:00:00Z",
        ),
        update(scans[3], expected={"guaranteed_delivery_date": "2 Business Days"}),
        update(scans[4]),
    )
    assert story.of("expected_delivery") == ["2026-11-05"] + ["2026-11-07"] * 4
    (label,) = story.tell(update(scan("GX", "2027-04-01T08:00"), at="2027-04-01T20:00:00Z"))
    assert label["expected_delivery"] is None


def test_an_expectation_alone_changes_the_state() -> None:
    """No event is new, but what is known of the piece is."""
    story = told(update(*journey()[:2]))
    news = update(
        *journey()[:2], expected={"expected_delivery_date": "2026-11-09"}, at="2026-11-02T09:00:00Z"
    )
    assert story.tell(news) == []
    assert story.state is not None
    assert story.state["expected_delivery"] == "2026-11-09"


def test_an_update_without_events_makes_no_state() -> None:
    """There is nothing yet to tell of the number."""
    story = told(update(expected={"expected_delivery_date": "2026-11-09"}))
    assert (story.state, story.published) == (None, [])


def test_a_state_names_its_number() -> None:
    """And what a reader of the topic wants to know at a glance."""
    story = told(update(*journey()))
    state = story.state
    assert state is not None
    assert (state["tracking_number"], state["events_seen"], state["mid"]) == (
        NUMBER,
        7,
        "912345678",
    )
    assert state["first_event_at"] == "2026-11-01T14:00:00.000Z"
    assert state["last_event_at"] == "2026-11-02T04:30:00.000Z"
