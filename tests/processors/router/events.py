"""Scan events as packages publishes them."""

from typing import Any

import orjson

from processors.router.events import RoutedEvent, read_event
from schemas.event import ScanEvent, event_id
from tests.schemas.registry.entities import MID, NUMBER

RECEIVED = "2026-06-01T12:00:00.000Z"


def evidence(channel: str = "webhook", mid: str | None = MID, **more: Any) -> dict[str, Any]:
    """How an event became known."""
    given: dict[str, Any] = {
        "channel": channel,
        "mid": mid,
        "mid_source": "subscription" if mid else None,
        "subscription_id": "sub-1",
        "received_at": RECEIVED,
    }
    return {**given, **more}


def scan_event(
    own: dict[str, Any] | None = None,
    *,
    before: tuple[dict[str, Any], ...] = (),
    piece: list[dict[str, Any]] | None = None,
    number: str = NUMBER,
    sequence: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """A delivered parcel's event on its own evidence, with what was known of it before."""
    own = own or evidence()
    event = {
        "event_id": event_id(number, "01", f"2026-05-31T10:{sequence:02}", "38118"),
        "tracking_number": number,
        "mail_kind": "package",
        "event_code": "01",
        "event_text": "Delivered",
        "category": "delivered",
        "event_time": "2026-05-31T15:00:00Z",
        "event_local_time": "2026-05-31T10:00:00",
        "utc_offset": "-05:00",
        "time_precision": "second",
        "time_basis": "gmt_field",
        "city": "MEMPHIS",
        "state": "TN",
        "zip": "38118",
        "country": "US",
        "facility": None,
        "attributes": {"delivery_attribute_code": "01"},
        "flags": [],
        **own,
        "sequence": sequence,
        "piece": 1,
        "new_evidence": bool(before),
        "variant_of": None,
        "first_in_category": True,
        "late": False,
        "package_category": "delivered",
        "expected_delivery": "2026-06-01",
        "evidence": [*before, own],
        "piece_evidence": [*before, own] if piece is None else piece,
        **more,
    }
    ScanEvent.model_validate(event)
    return event


def routed(event: dict[str, Any]) -> RoutedEvent:
    """As the router reads it."""
    return read_event(orjson.dumps(event))
