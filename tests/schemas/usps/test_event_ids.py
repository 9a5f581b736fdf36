from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Channel, event_id
from tests.schemas.usps.feed import (
    TRACKING_NUMBER,
    event_of,
    events_of,
    from_example,
    payload_of,
    scan,
)


def test_equal_scans_of_one_history_are_told_apart() -> None:
    """By their count from the oldest: what comes on top changes no id below."""
    history = [scan(), scan(eventType="Restated"), scan(eventCode="OF"), scan()]
    ids = [event["event_id"] for event in events_of(payload_of(*history))]
    assert len(set(ids)) == 4
    for kept in range(1, 4):
        older = events_of(payload_of(*history[kept:]))
        assert [event["event_id"] for event in older] == ids[: 4 - kept]
    first = event_id(TRACKING_NUMBER, "07", "2026-05-14T06:58", "98099")
    second = event_id(TRACKING_NUMBER, "07", "2026-05-14T06:58", "98099", 1)
    assert (ids[0], ids[2]) == (first, second)


@pytest.mark.parametrize(
    "restated",
    [
        scan(eventType="ARRIVED AT UNIT"),
        scan(GMTTimestamp="2026-05-14T13:58:41Z"),
        scan(eventTimestamp="2026-05-14T06:58:41", GMTOffset=None),
        scan(eventTimestamp="2026-05-14T06:58", GMTTimestamp=None),
        scan(eventTimestamp=None),
        scan(eventCity="SEATTLE", eventState=None, eventCountry=None),
        scan(eventZIPCode="98099-0142", reasonCode="10", firm="Vane Ltd"),
    ],
)
def test_the_same_scan_said_otherwise_has_the_same_id(restated: dict[str, Any]) -> None:
    """Text, seconds, attributes and how the time is stated do not make another scan."""
    assert event_of(restated)["event_id"] == event_of(scan())["event_id"]


def test_both_layouts_give_the_same_ids() -> None:
    """A detailed scan of one event is the event of the ordinary history, under any name."""
    ordinary = event_of(scan())
    extra = {"scanEventExtractEventName": "ARRIVAL AT UNIT", "barcodeInputMethod": "0"}
    detailed = payload_of(
        mailerID="912345678", trackingEvents=None, trackingEvent=scan(**extra, eSOL=False)
    )
    (event,) = events_of(detailed)
    assert event["event_id"] == ordinary["event_id"]
    (other_channel,) = events_of(payload_of(scan()), channel=Channel.API, subscription_mid=None)
    assert other_channel["event_id"] == ordinary["event_id"]


def test_all_prints_of_a_scan_have_one_id() -> None:
    """Ordinary, detailed, escaped once more: the same scan."""
    names = ["tracking", "tracking_as_published", "detailed_scan", "detailed_scan_as_published"]
    ids = {from_example(name).record["events"][0]["event_id"] for name in names}
    assert len(ids) == 1


def test_a_long_history_is_read_whole() -> None:
    """2,000 events, each with an id of its own."""
    events = events_of(payload_of(*[scan()] * 2_000))
    assert len({event["event_id"] for event in events}) == 2_000


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["01", "07", "10", "OF", "MA"]),
            st.sampled_from(["2026-05-14T06:58:00", "2026-05-14T06:59:00", "2026-05-13"]),
            st.sampled_from(["98099", "43099"]),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_ids_do_not_depend_on_order(stated: list[tuple[str, str, str]], random: Any) -> None:
    """However a history is ordered, its scans have the same ids."""
    history = [
        scan(
            eventCode=code,
            eventTimestamp=time,
            GMTTimestamp=None,
            GMTOffset=None,
            eventZIPCode=zip_,
        )
        for code, time, zip_ in stated
    ]
    ids = {event["event_id"] for event in events_of(payload_of(*history))}
    random.shuffle(history)
    assert {event["event_id"] for event in events_of(payload_of(*history))} == ids
    assert len(ids) == len(history)
