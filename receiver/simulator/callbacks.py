"""One callback per new scan and subscription, and its request as USPS signs it."""

import hmac
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from receiver.simulator.payloads import LegText
from receiver.simulator.scans import Journey, Scan, Shipper, Stated
from receiver.simulator.subscribers import Subscriber
from schemas.event import event_id

# The second is deprecated and has the same value (USPS's document 3.2.2).
_HEADERS: Final = ("X-HMAC", "hmac-header")
_SUBSCRIPTION_TYPE: Final = "TRACKING"


@dataclass(frozen=True, slots=True)
class Callback:
    """What USPS tells one subscriber: a payload, and the ids of the scan events in it."""

    subscriber: Subscriber
    tracking_number: str
    payload: str
    event_ids: tuple[str, ...]


Subscribers = Mapping[Shipper, Sequence[Subscriber]]


def by_shipper(subscribers: Sequence[Subscriber]) -> Subscribers:
    """Who is called for whose pieces: a MID may have several subscriptions."""
    found: dict[Shipper, list[Subscriber]] = {}
    for subscriber in subscribers:
        found.setdefault(subscriber.shipper, []).append(subscriber)
    return found


def callbacks_of(journey: Journey, subscribers: Sequence[Subscriber]) -> Iterator[Callback]:
    """In the order in which scans become known; each repeats the history of its leg so far."""
    number = journey.tracking_number
    for leg in journey.legs:
        text = LegText(journey, leg)
        ids = [scan_id(number, scan) for scan in leg.scans]
        for known, scan in enumerate(leg.scans, start=1):
            for subscriber in subscribers:
                if not subscriber.wants(scan):
                    continue
                if subscriber.detailed:
                    told = Callback(subscriber, number, text.detailed(known), (ids[known - 1],))
                else:
                    history = tuple(history_ids(number, leg.scans, ids[:known]))
                    told = Callback(subscriber, number, text.ordinary(known), history)
                yield told


def history_ids(number: str, scans: Sequence[Scan], ids: Sequence[str]) -> Iterator[str]:
    """The ids of a history: equal scans within it are told apart by their count."""
    if len(set(ids)) == len(ids):
        yield from ids
        return
    met: Counter[str] = Counter()
    for scan, first in zip(scans, ids, strict=False):
        yield scan_id(number, scan, met[first]) if met[first] else first
        met[first] += 1


def scan_id(tracking_number: str, scan: Scan, ordinal: int = 0) -> str:
    """The id that every channel must find for this scan (contract: event_id)."""
    place = scan.place.zip if scan.place else ""
    return event_id(tracking_number, scan.code, _stated_minute(scan), place, ordinal)


def _stated_minute(scan: Scan) -> str:
    match scan.stated:
        case Stated.NOT:
            return ""
        case Stated.DAY:
            return f"{scan.local:%Y-%m-%d}"
        case _:
            return f"{scan.local:%Y-%m-%dT%H:%M}"


def envelope(subscription_id: str, timestamp: str, payload: str) -> bytes:
    """The body of a request: the payload is a string that holds a JSON document."""
    return orjson.dumps(
        {
            "subscriptionId": subscription_id,
            "subscriptionType": _SUBSCRIPTION_TYPE,
            "timestamp": timestamp,
            "payload": payload,
        }
    )


def signature_headers(
    subscriber: Subscriber, timestamp: str, payload: str, body: bytes
) -> dict[str, str]:
    """X-HMAC and its twin, or what the subscription's scheme says instead."""
    scheme = subscriber.scheme
    signed = _signed_text(scheme.message, timestamp, payload, body)
    digest = hmac.digest(subscriber.secret.get_secret_value().encode(), signed, "sha256")
    value = digest.hex() if scheme.encoding == "hex" else b64encode(digest).decode()
    return dict.fromkeys(scheme.headers[:1] if scheme.headers else _HEADERS, value)


def _signed_text(message: str | None, timestamp: str, payload: str, body: bytes) -> bytes:
    if message == "raw-body":
        return body
    if message == "timestamp+escaped-payload":
        return timestamp.encode() + orjson.dumps(payload)[1:-1]
    return f"{timestamp}{payload}".encode()
