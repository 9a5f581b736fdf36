"""Bodies of v3.0 without an envelope: whose they are, and what they say."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RecordRejected
from schemas.usps.callback import RawCallback, parse_envelope
from schemas.usps.flat_body import parse_flat_body, read_legacy_payload
from tests.schemas.usps.feed import (
    JSON,
    TRACKING_NUMBER,
    assert_is_an_update,
    body_of,
    events_of,
    normalized,
)

EVENT: dict[str, Any] = {
    "eventCode": "01",
    "eventType": "Delivered, Front Door/Porch",
    "eventTimestamp": "2026-05-14T07:31:00Z",
    "eventLocation": {"city": "PORT CEDAR", "state": "WA", "ZIPCode": "98099"},
    "name": "J VANE",
    "authorizedAgent": "false",
}
FLAT: dict[str, Any] = {
    "subscriptionId": "one",
    "trackingNumber": TRACKING_NUMBER,
    "mailClass": "GA",
    "destinationZIP": "98099",
    **EVENT,
}


def payload_of(document: object) -> dict[str, Any]:
    """The payload of a body, which is a callback of subscription `one`."""
    body = orjson.dumps(document)
    callback = parse_flat_body(body, [])
    assert callback is not None
    assert (callback.subscription_id, callback.flat) == ("one", True)
    assert callback.payload.encode() == callback.body == body
    return read_legacy_payload(callback)[0]


@pytest.mark.parametrize(
    "document",
    [
        FLAT,
        [FLAT],
        [FLAT, {**FLAT, "eventCode": "OF"}],
        {"subscriptionId": "one", "trackingNumber": TRACKING_NUMBER, "events": [EVENT]},
        {"subscriptionId": "one", "events": [{**EVENT, "trackingNumber": TRACKING_NUMBER}]},
        {"subscriptionId": "one", "trackingNumber": TRACKING_NUMBER, "trackingEvents": [EVENT]},
        {"subscriptionId": "one", "trackingNumber": TRACKING_NUMBER, "trackingEvent": EVENT},
    ],
)
def test_events_of_a_flat_body(document: object) -> None:
    """One event, a list of them, or an object that holds them: the same scan comes out."""
    event = events_of(payload_of(document))[-1]
    assert event["tracking_number"] == TRACKING_NUMBER
    assert (event["event_code"], event["event_text"]) == ("01", "Delivered, Front Door/Porch")
    assert (event["city"], event["state"], event["zip"]) == ("PORT CEDAR", "WA", "98099")
    assert event["attributes"] == {}


@pytest.mark.parametrize(
    "payload",
    [
        FLAT,
        {"trackingNumber": TRACKING_NUMBER, "events": [EVENT]},
        {"trackingNumber": TRACKING_NUMBER, "trackingEvents": [EVENT]},
    ],
)
def test_the_same_shapes_within_an_envelope(payload: dict[str, Any]) -> None:
    """A legacy subscription's envelope may hold them; v3r2's layout is left as it is."""
    callback = parse_envelope(body_of(payload=orjson.dumps(payload).decode()), [])
    read, escaped_twice = read_legacy_payload(callback)
    assert not escaped_twice
    assert (read == payload) is ("trackingEvents" in payload)
    [event] = events_of(read)
    assert event["event_code"] == "01"


def test_a_local_time_labelled_utc_is_no_instant() -> None:
    """v3 puts a Z on local times: such a time is flagged, and never an instant."""
    [event] = events_of(payload_of(FLAT))
    assert event["event_time"] is None
    assert event["event_local_time"] == "2026-05-14T07:31:00"
    assert event["time_basis"] == "none"
    assert "local_time_labelled_utc" in event["flags"]


@pytest.mark.parametrize(
    ("times", "instant", "basis"),
    [
        (
            {"eventTimeStamp": "2026-05-14T07:31:00-04:00"},
            "2026-05-14T11:31:00Z",
            "timestamp_offset",
        ),
        (
            {"eventTimestamp": "2026-05-14T07:31:00Z", "GMTOffset": "-04:00"},
            "2026-05-14T11:31:00Z",
            "offset_field",
        ),
        (
            {"eventTimestamp": "2026-05-14T07:31:00Z", "GMTTimestamp": "2026-05-14T11:31:00Z"},
            "2026-05-14T11:31:00Z",
            "gmt_field",
        ),
    ],
)
def test_what_says_the_zone_is_believed(times: dict[str, str], instant: str, basis: str) -> None:
    """GMTTimestamp, a real offset, or GMTOffset make a flat event's time an instant."""
    document = {key: value for key, value in FLAT.items() if key != "eventTimestamp"} | times
    [event] = events_of(payload_of(document))
    assert (event["event_time"], event["time_basis"]) == (instant, basis)


def test_facts_of_the_piece_are_under_their_new_names() -> None:
    """What is not of the event is of the piece; persons and sentences stay in the original."""
    found = normalized(payload_of({**FLAT, "eventSummaries": ["Signed by J VANE"]}))
    assert_is_an_update(found)
    facts = found.record["package"]
    assert (facts["mail_class"], facts["destination_zip_code"]) == ("GA", "98099")
    assert "VANE" not in orjson.dumps(found.record).decode()


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        7,
        None,
        "text",
        {"trackingNumber": "1"},
        {"subscriptionId": 7},
        [{"subscriptionId": "one"}, {"subscriptionId": "two"}],
        [{"subscriptionId": "one"}, 7],
        {"subscriptionId": "one", "payload": {}},
        [{"subscriptionId": "one", "payload": "{}"}],
    ],
)
def test_a_body_must_say_whose_it_is(document: object) -> None:
    """No id, two ids, or a payload without its envelope: nobody's."""
    assert parse_flat_body(orjson.dumps(document), []) is None


@pytest.mark.parametrize(
    "document",
    [
        [FLAT, {**FLAT, "trackingNumber": "another"}],
        {**FLAT, "events": [{**EVENT, "trackingNumber": "another"}]},
        {**FLAT, "events": ["text"]},
        {**FLAT, "trackingEvent": 7},
        {**FLAT, "events": [[]]},
    ],
)
def test_events_of_several_pieces_are_unreadable(document: object) -> None:
    """One callback is one piece: else nobody could say what belongs to which."""
    with pytest.raises(RecordRejected) as rejected:
        payload_of(document)
    assert rejected.value.reason == "payload_unreadable"


def test_the_timestamp_of_a_body_is_told() -> None:
    """A body may say when it was made, or not."""
    stamped = parse_flat_body(orjson.dumps({**FLAT, "timestamp": "2026-05-14T15:42:09Z"}), [])
    assert stamped is not None
    assert stamped.timestamp == "2026-05-14T15:42:09Z"
    unstamped = parse_flat_body(orjson.dumps({**FLAT, "timestamp": 7}), [])
    assert unstamped is not None
    assert unstamped.timestamp == ""


NAMES = st.sampled_from(
    [*EVENT, "subscriptionId", "trackingNumber", "events", "trackingEvents", "mailerID", "links"]
)
OBJECTS = st.dictionaries(NAMES, st.just("one") | JSON, max_size=6)


def update_of(callback: RawCallback) -> Any:
    """The update, or why there is none."""
    try:
        return normalized(read_legacy_payload(callback)[0], subscription_mid=None)
    except RecordRejected as rejected:
        return rejected.reason


@settings(deadline=None)
@given(OBJECTS | st.lists(OBJECTS | JSON, max_size=4) | JSON)
def test_any_body_is_an_update_or_unreadable(document: object) -> None:
    """Whatever JSON comes: nobody's, an update that is valid, or one refusal."""
    callback = parse_flat_body(orjson.dumps(document), [])
    if callback is None:
        return
    found = update_of(callback)
    if found != "payload_unreadable":
        assert_is_an_update(found)
