"""What USPS sends, for tests: scans, payloads, signed bodies; and their normal form."""

import base64
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.event import Channel
from schemas.json_schema import schema_of
from schemas.update import TrackingUpdate
from schemas.usps.callback import RawCallback, parse_envelope
from schemas.usps.flags import FLAGS
from schemas.usps.normalize import Normalized, normalize
from schemas.usps.payload import read_payload

SECRET: Final = b"sample-only-secret-0123456789abc"
OTHER_SECRET: Final = b"another-secret-fedcba9876543210x"
RECEIVED: Final = datetime(2026, 5, 14, 16, 45, 43, 120_000, tzinfo=UTC)
RECEIVED_AT: Final = "2026-05-14T16:45:43.120Z"
REPORTED_AT: Final = "2026-05-14T16:45:42.747Z"
SUBSCRIPTION_ID: Final = "0190aa11-2b3c-7d4e-8f50-61728394a5b6"
UPDATE_ID: Final = "0123456789abcdef0123456789abcdef"
# Commercial numbers made for tests, MID 912345678; the second one's check digit is wrong.
TRACKING_NUMBER: Final = "9205591234567800000011"
WRONG_CHECK_DIGIT: Final = "9205591234567800000012"
# ZIP+4 and MID 912345678, or ZIP and MID 205591: both readings fit.
AMBIGUOUS_NUMBER: Final = "4201234593009205591234567800000011"
EXAMPLES: Final = Path(__file__).parent / "examples"


def scan(**changed: object) -> dict[str, Any]:
    """An ordinary event; a change to None takes the field away."""
    event: dict[str, Any] = {
        "eventCode": "07",
        "eventType": "Arrived at Post Office",
        "eventTimestamp": "2026-05-14T06:58:00-07:00",
        "GMTTimestamp": "2026-05-14T13:58:00Z",
        "GMTOffset": "-7:00",
        "eventCity": "PORT CEDAR",
        "eventState": "WA",
        "eventZIPCode": "98099",
        "eventCountry": "US",
    } | changed
    return {name: value for name, value in event.items() if value is not None}


def payload_of(*events: object, **changed: object) -> dict[str, Any]:
    """An ordinary payload with these events, newest first; None takes a field away."""
    payload: dict[str, Any] = {
        "trackingNumber": TRACKING_NUMBER,
        "mailClassCode": "GA",
        "status": "Out for Delivery",
        "trackingEvents": list(events),
    } | changed
    return {name: value for name, value in payload.items() if value is not None}


def normalized(payload: dict[str, Any], **changed: Any) -> Normalized:
    """The payload as the receiver would have it normalized."""
    facts: dict[str, Any] = {
        "channel": Channel.WEBHOOK,
        "update_id": UPDATE_ID,
        "subscription_id": SUBSCRIPTION_ID,
        "subscription_mid": "912345678",
        "received_at": RECEIVED_AT,
        "received": RECEIVED,
        "reported_at": REPORTED_AT,
        "original": "{}",
        "escaped_twice": False,
    }
    return normalize(payload, **(facts | changed))


def events_of(payload: dict[str, Any], **changed: Any) -> list[dict[str, Any]]:
    """The records of its events, oldest first."""
    events: list[dict[str, Any]] = normalized(payload, **changed).record["events"]
    return events


def event_of(event: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The record of one event."""
    (record,) = events_of(payload_of(event), **changed)
    return record


def body_of(**changed: object) -> bytes:
    """A request's body."""
    envelope = {
        "subscriptionId": SUBSCRIPTION_ID,
        "subscriptionType": "TRACKING",
        "timestamp": REPORTED_AT,
        "payload": '{"trackingNumber":"9205591234567800000011"}',
    } | changed
    return orjson.dumps(envelope)


def signature(callback: RawCallback, secret: bytes = SECRET) -> bytes:
    """What USPS would put into `X-HMAC`, made the long way."""
    signed = callback.timestamp.encode() + callback.payload.encode()
    return base64.b64encode(hmac.new(secret, signed, "sha256").digest())


def callback_with(*headers: tuple[bytes, bytes], body: bytes | None = None) -> RawCallback:
    """A parsed callback with these headers and some of everyday's."""
    return parse_envelope(body or body_of(), [(b"content-type", b"application/json"), *headers])


# What a JSON parser may hand over: no NaN, no lone surrogates, integers of 64 bits.
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
JSON: Final = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)


VALIDATOR = Draft202012Validator(schema_of(TrackingUpdate))


def assert_is_an_update(found: Normalized) -> None:
    """It is valid, comes out of model and JSON as it went in, and uses known flags."""
    record = found.record
    assert TrackingUpdate.model_validate(record).model_dump(mode="json") == record
    assert orjson.loads(orjson.dumps(record)) == record
    VALIDATOR.validate(record)
    assert set(found.flags) <= FLAGS
    assert found.categories == tuple(event["category"] for event in record["events"])


def from_example(name: str, **changed: Any) -> Normalized:
    """An example as the receiver would read it; its subscription is for a number."""
    callback = parse_envelope((EXAMPLES / f"{name}.json").read_bytes(), [])
    payload, escaped_twice = read_payload(callback.payload)
    facts = {"subscription_id": callback.subscription_id, "subscription_mid": None}
    return normalized(
        payload,
        original=callback.payload,
        escaped_twice=escaped_twice,
        **(facts | changed),
    )
