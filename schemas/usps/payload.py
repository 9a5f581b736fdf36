"""The payload of a callback: from its text to one layout, that of Tracking v3r2.

Layouts met (USPS's Subscriptions - Tracking document 3.2.2): the ordinary one with
`trackingEvents`, newest first; the detailed scan, whose schema has one object `trackingEvent`
and whose example has the list; and the field names of v3.0 in either of them.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from schemas.errors import RecordRejected
from schemas.identifiers import is_tracking_number

# USPS says 99; what is far above is no history.
MAX_EVENTS: Final = 2_000

_V3_FIELDS: Final = {
    "originZIP": "originZIPCode",
    "destinationZIP": "destinationZIPCode",
    "destinationCountryCode": "destinationCountry",
    "uniqueMailPieceId": "uniqueTrackingID",
    "uniqueTrackingId": "uniqueTrackingID",
    "mailPieceIntakeDate": "mailingDate",
    "approximateIntakeDate": "mailingDate",
    "associatedLabel": "associatedTrackingNumber",
}
# v3 has these at the top; v3r2 has them in an object.
_V3_EXPECTATION: Final = {
    "expectedDeliveryTimeStamp": "expectedDeliveryDate",
    "expectedDeliveryDate": "expectedDeliveryDate",
    "guaranteedDeliveryTimeStamp": "guaranteedDeliveryDate",
    "guaranteedDeliveryDate": "guaranteedDeliveryDate",
    "guaranteedDetails": "guaranteedDetails",
    "predictedDeliveryDate": "predictedDeliveryDate",
    "predictedDeliverySource": "predictedDeliverySource",
    "predictedDeliveryWindowStartTime": "predictedDeliveryWindowStartTime",
    "predictedDeliveryWindowEndTime": "predictedDeliveryWindowEndTime",
    "endOfDay": "endOfDay",
}
_V3_ELIGIBILITY: Final = {
    name: name
    for name in (
        "deliveryInstructionsEnabled",
        "proofOfDeliveryEnabled",
        "RREEnabled",
        "trackingProofOfDeliveryEnabled",
    )
}
_V3_NESTED: Final = {
    "deliveryDateExpectation": _V3_EXPECTATION,
    "servicesEligibility": _V3_ELIGIBILITY,
}
_V3_NAMES: Final = frozenset({*_V3_FIELDS, *_V3_EXPECTATION, *_V3_ELIGIBILITY})
_V3_EVENT_FIELDS: Final = {
    "eventZIP": "eventZIPCode",
    "eventTimeStamp": "eventTimestamp",
}
_SCAN_FIELDS: Final = (
    "eventCode",
    "eventTimestamp",
    "GMTTimestamp",
    "eventZIPCode",
    "eventCity",
)


def read_payload(text: str) -> tuple[dict[str, Any], bool]:
    """The JSON object that `text` holds, and whether it was escaped once more.

    USPS's published examples print it so: each quote with a backslash before it, and a line
    end after the whole. Raises `RecordRejected` (`payload_unreadable`).
    """
    escaped_twice = False
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        payload = _unescaped(text)
        escaped_twice = True
    if type(payload) is str:
        payload, escaped_twice = _loads(payload), True
    if type(payload) is not dict:
        raise unreadable("the payload is no JSON object")
    return payload, escaped_twice


def in_v3r2_layout(payload: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """The payload with v3r2's names, and its events, newest first as stated.

    Raises `RecordRejected` (`payload_unreadable`): no tracking number, events that are no
    objects, or too many of them.
    """
    if not _V3_NAMES.isdisjoint(payload):
        payload = _with_v3r2_names(payload)
    number = payload.get("trackingNumber")
    if type(number) is not str or not is_tracking_number(number):
        raise unreadable("the tracking number is not 1 to 64 printable characters")
    return payload, _events(payload)


def unreadable(detail: str) -> RecordRejected:
    """The error for a payload that nobody can read, however often it comes."""
    return RecordRejected("payload_unreadable", detail)


def _unescaped(text: str) -> object:
    """The text once unescaped: that of a JSON string without its outer quotes."""
    return _loads(f'"{text.rstrip()}"')


def _loads(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise unreadable("the payload is not JSON") from None


def _events(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    events = payload.get("trackingEvents")
    if type(events) is not list or "trackingEvent" in payload:
        events = _listed_events(payload)
    if len(events) > MAX_EVENTS:
        raise unreadable(f"the payload has more than {MAX_EVENTS} events")
    has_v3_names = False
    for event in events:
        if type(event) is not dict:
            raise unreadable("an event of the payload is no object")
        if "eventZIP" in event or "eventTimeStamp" in event:
            has_v3_names = True
    return [_renamed(event, _V3_EVENT_FIELDS) for event in events] if has_v3_names else events


def _listed_events(payload: Mapping[str, Any]) -> list[Any]:
    """From a list, a single object or both, under either name."""
    events = _list_of(payload.get("trackingEvents"))
    # An object that the list repeats is one event, not two.
    added = [
        one
        for one in _list_of(payload.get("trackingEvent"))
        if not any(_is_same_scan(one, event) for event in events)
    ]
    return added + events


def _list_of(value: object) -> list[Any]:
    if type(value) is list:
        return value
    return [] if value is None else [value]


def _is_same_scan(one: object, other: object) -> bool:
    """Whether both state the same scan. Only texts are compared: values may nest too deep."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return False
    return all(
        isinstance(one.get(name, ""), str) and one.get(name, "") == other.get(name, "")
        for name in _SCAN_FIELDS
    )


def _with_v3r2_names(payload: Mapping[str, Any]) -> dict[str, Any]:
    renamed = _renamed(payload, _V3_FIELDS)
    for target, names in _V3_NESTED.items():
        found = {name: renamed.pop(name) for name in names if name in renamed}
        if not found:
            continue
        stated = renamed.get(target)
        renamed[target] = _renamed(found, names) | (stated if type(stated) is dict else {})
    return renamed


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A copy with v3r2's names; a field that already has its v3r2 name wins."""
    renamed = {name: value for name, value in fields.items() if name not in names}
    for old, new in names.items():
        if fields.get(old) is not None:
            renamed.setdefault(new, fields[old])
    return renamed
