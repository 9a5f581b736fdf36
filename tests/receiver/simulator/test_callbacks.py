"""Callbacks repeat the history, carry the right ids and are signed as USPS signs."""

import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from receiver.simulator.callbacks import Callback, callbacks_of, signature_headers
from receiver.simulator.faults import proper
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import NONE, Rates
from receiver.simulator.scans import Journey, Oddity, Shipper
from receiver.simulator.subscribers import Subscriber
from schemas.registry.entities import EventType, SignatureScheme

NOW = datetime(2026, 11, 24, 5, 17, tzinfo=UTC)
SHIPPER = Shipper("912345678")
SECRET = "sample-only-secret-0123456789abc"


def subscriber(*event_types: EventType, scheme: SignatureScheme | None = None) -> Subscriber:
    """A subscription for one MID."""
    return Subscriber(
        "acme-webhook",
        "0190aa11-2b3c-7d4e-8f50-61728394a5b6",
        SHIPPER,
        frozenset(event_types or {EventType.ALL_UPDATES}),
        scheme or SignatureScheme(),
        SecretStr(SECRET),
    )


def journey(rates: Rates = NONE, seed: int = 1) -> Journey:
    """One journey."""
    return next(JourneyMaker(seed, [SHIPPER], NOW, rates).journeys(1))


def told(callback: Callback) -> dict[str, Any]:
    """The payload, read."""
    payload: dict[str, Any] = orjson.loads(callback.payload)
    return payload


def test_each_callback_repeats_the_history_newest_first() -> None:
    """The n-th callback has n events, the latest one first, as USPS's documents say."""
    one = journey()
    callbacks = list(callbacks_of(one, [subscriber()]))
    assert len(callbacks) == len(one.legs[0].scans)
    for count, callback in enumerate(callbacks, start=1):
        events = told(callback)["trackingEvents"]
        assert len(events) == count == len(callback.event_ids)
        stamps = [event["GMTTimestamp"] for event in events if "GMTTimestamp" in event]
        assert stamps == sorted(stamps, reverse=True)
        assert told(callback)["trackingNumber"] == one.sent_as


def test_equal_scans_of_one_history_have_different_ids() -> None:
    """Their ordinal tells them apart once both are in the history."""
    *_, last = callbacks_of(journey({Oddity.REPEATED_SCAN: 1.0}), [subscriber()])
    assert len(set(last.event_ids)) == len(last.event_ids)


def test_ids_of_scans_do_not_change_from_callback_to_callback() -> None:
    """What was told once has the same id in every later history of the piece."""
    before: set[str] = set()
    for callback in callbacks_of(journey(), [subscriber()]):
        assert before < set(callback.event_ids)
        before = set(callback.event_ids)


def test_detailed_layout_names_the_mid_and_tells_one_scan() -> None:
    """A SCAN_EVENT_EXTRACT subscription is told scan by scan."""
    for callback in callbacks_of(journey(), [subscriber(EventType.SCAN_EVENT_EXTRACT)]):
        payload = told(callback)
        assert payload["mailerID"] == SHIPPER.mid
        assert payload["trackingEvent"]["scanEventExtractEventName"] is not None
        assert "trackingEvents" not in payload
        assert len(callback.event_ids) == 1


def test_delay_notices_go_to_who_asked_for_them() -> None:
    """ALL_UPDATES alone is not called for a delay; with PACKAGE_DELAYED it is."""
    late = journey({Oddity.DELAYED: 1.0})
    everything = list(callbacks_of(late, [subscriber(EventType.SCAN_EVENT_EXTRACT)]))
    ordinary = list(callbacks_of(late, [subscriber(EventType.ALL_UPDATES)]))
    delays = list(callbacks_of(late, [subscriber(EventType.PACKAGE_DELAYED)]))
    assert len(everything) == len(ordinary) + len(delays)
    assert [told(callback)["status"] for callback in delays] == ["In Transit, Arriving Late"]


def test_every_subscription_of_a_mid_is_called() -> None:
    """Two subscriptions of one MID: each scan is told twice."""
    both = [subscriber(), subscriber(EventType.SCAN_EVENT_EXTRACT)]
    one = journey()
    assert len(list(callbacks_of(one, both))) == 2 * len(one.legs[0].scans)


def test_signature_is_over_timestamp_and_payload() -> None:
    """X-HMAC and its deprecated twin: Base64 of HMAC-SHA256, nothing between the two texts."""
    callback = next(callbacks_of(journey(), [subscriber()]))
    request = proper(callback, "2026-05-14T15:42:09.318Z")
    body = orjson.loads(request.body)
    signed = (body["timestamp"] + body["payload"]).encode()
    expected = b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).decode()
    assert request.headers == {"X-HMAC": expected, "hmac-header": expected}


@pytest.mark.parametrize(
    ("scheme", "signed", "decode"),
    [
        ({"message": "body"}, b"B", b64decode),
        ({"message": "timestamp+escaped-payload"}, b'T{\\"a\\":1}', b64decode),
        ({"encoding": "hex"}, b'T{"a":1}', bytes.fromhex),
    ],
)
def test_other_schemes_are_signed_as_they_say(
    scheme: dict[str, Any], signed: bytes, decode: Any
) -> None:
    """A subscription's own scheme decides what is signed, how it is written and where."""
    declared = SignatureScheme(headers=["X-Own"], **scheme)
    headers = signature_headers(subscriber(scheme=declared), "T", '{"a":1}', b"B")
    assert list(headers) == ["X-Own"]
    assert decode(headers["X-Own"]) == hmac.digest(SECRET.encode(), signed, "sha256")
