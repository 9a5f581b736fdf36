"""Bodies without an envelope, as integrations of v3.0 tell of them; nobody has shown one.

A JSON object that is one scan event (`eventType`, `eventTimestamp`, `eventLocation`), or holds
several as `events`; or a list of such events. Only subscriptions that are declared `legacy` may
send them, and the whole body is signed. Which subscription it is must stand in the body, as
`subscriptionId`: without it nobody could say whose secret to try. The same shapes are read in
the payload of an envelope of theirs.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from schemas.usps.callback import Headers, RawCallback
from schemas.usps.payload import read_payload, unreadable

_ID: Final = "subscriptionId"
_NUMBER: Final = "trackingNumber"
_LISTS: Final = ("events", "trackingEvents", "trackingEvent")
# Neither of the piece nor of the event.
_ENVELOPE: Final = frozenset({_ID, "subscriptionType", "timestamp", "links"})
# Of an object that is piece and event in one, these tell of the event.
_EVENT_FIELDS: Final = frozenset(
    {
        *("eventCode", "eventType", "eventTimestamp", "eventTimeStamp", "GMTTimestamp"),
        *("GMTOffset", "eventLocation", "eventCity", "eventState", "eventZIPCode", "eventZIP"),
        *("eventCountry", "eventPartner", "actionCode", "reasonCode", "firm", "name"),
        *("recipientName", "authorizedAgent", "additionalProp", "CODAmountDue", "veriPoint"),
        *("barcodeInputMethod", "eSOL", "scanEventExtractEventName", "containers"),
    }
)
# One of these makes an object the event itself, or the holder of events.
_MARKS: Final = frozenset({"events", "eventCode", "eventType", "eventTimestamp", "eventTimeStamp"})
_NO_FACTS: Final = _EVENT_FIELDS | _ENVELOPE | frozenset(_LISTS)
_NOT_OF_EVENTS: Final = _ENVELOPE | {_NUMBER, "eventLocation"}
_LOCATION: Final = {
    "city": "eventCity",
    "state": "eventState",
    "ZIPCode": "eventZIPCode",
    "ZIP": "eventZIPCode",
    "country": "eventCountry",
}


def parse_flat_body(body: bytes, headers: Headers) -> RawCallback | None:
    """The callback of a body that is JSON and no envelope; None if it names no subscription.

    Its payload is the whole text, its timestamp empty unless the body has one.
    """
    document = orjson.loads(body)
    if type(document) is dict:
        objects, timestamp = [document], document.get("timestamp")
    else:
        objects, timestamp = document if type(document) is list else [], None
    named = _subscription_ids(objects)
    if len(named) != 1:
        return None
    stated = timestamp if type(timestamp) is str else ""
    return RawCallback(named.pop(), "", stated, body.decode(), headers, body, flat=True)


def read_legacy_payload(callback: RawCallback) -> tuple[dict[str, Any], bool]:
    """As `read_payload`, of a subscription that is declared legacy, with an envelope or without.

    Raises `RecordRejected` (`payload_unreadable`).
    """
    if callback.flat:
        return with_listed_events(orjson.loads(callback.payload)), False
    payload, escaped_twice = read_payload(callback.payload)
    if "trackingEvents" in payload or _MARKS.isdisjoint(payload):
        return payload, escaped_twice
    return with_listed_events(payload), escaped_twice


def with_listed_events(document: object) -> dict[str, Any]:
    """One event, several in an object, or a list of them, as a payload with `trackingEvents`.

    In the order in which they are stated. Raises `RecordRejected` (`payload_unreadable`):
    events of several pieces, or something else than objects.
    """
    stated = _objects(document if type(document) is list else [document])
    events = [event for one in stated for event in _events_of(one)]
    numbers = {one[_NUMBER] for one in (*stated, *events) if type(one.get(_NUMBER)) is str}
    if len(numbers) > 1:
        raise unreadable("the body tells of several pieces")
    facts = {name: value for name, value in stated[0].items() if name not in _NO_FACTS}
    told = [_with_place(event) for event in events]
    return facts | {_NUMBER: next(iter(numbers), None), "trackingEvents": told}


def _subscription_ids(objects: list[Any]) -> set[str]:
    """Every id that is named; none if something is no object, or is a broken envelope."""
    if not all(type(one) is dict and "payload" not in one for one in objects):
        return set()
    return {one[_ID] for one in objects if type(one.get(_ID)) is str}


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    if not values or not all(type(one) is dict for one in values):
        raise unreadable("an event of the body is no object")
    return values


def _events_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = [document[name] for name in _LISTS if document.get(name) is not None]
    if not lists:
        return [{name: value for name, value in document.items() if name in _EVENT_FIELDS}]
    listed = [one for value in lists for one in (value if type(value) is list else [value])]
    return _objects(listed) if listed else []


def _with_place(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with v3r2's names of its place, and without what is not of the event."""
    placed = {name: value for name, value in event.items() if name not in _NOT_OF_EVENTS}
    location = event.get("eventLocation")
    if type(location) is dict:
        for name, target in _LOCATION.items():
            if location.get(name) is not None:
                placed.setdefault(target, location[name])
    return placed
