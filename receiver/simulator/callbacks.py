"""One callback per new scan and subscription, and its request as USPS signs it."""

import hmac
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import orjson

from receiver.simulator.payloads import LegText
from receiver.simulator.scans import Journey, Leg, Scan, Shipper, Stated
from receiver.simulator.subscribers import Subscriber
from schemas.event import event_id

# The second is deprecated and has the same value (USPS's document 3.2.2).
_HEADERS: Final = ("X-HMAC", "hmac-header")
_SUBSCRIPTION_TYPE: Final = "TRACKING"


@dataclass(frozen=True, slots=True)
class Callback:
    """What USPS tells one subscriber: a payload, and the ids of the scan events in it.

    Attributes:
        may_wait: False for an earlier piece of a re-used number: the next one is months later,
            and a callback that is overtaken by it would be so late too.
    """

    subscriber: Subscriber
    tracking_number: str
    payload: str
    event_ids: tuple[str, ...]
    may_wait: bool = True


# Told of every scan that becomes known: the journey, the leg (from 0), how many of its scans.
OnScan = Callable[[Journey, int, int], None]


class Audience(Protocol):
    """Who is called for whose pieces."""

    def subscribers(self, journey: Journey) -> Sequence[Subscriber]:
        """Whom to call for a scan of this journey now."""


class ByShipper:
    """An audience that does not change: the subscriptions of registry files."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._found: dict[Shipper, list[Subscriber]] = {}
        for subscriber in subscribers:
            self._found.setdefault(subscriber.shipper, []).append(subscriber)

    def subscribers(self, journey: Journey) -> Sequence[Subscriber]:
        """A MID may have several."""
        return self._found.get(journey.shipper, ())


def by_shipper(subscribers: Sequence[Subscriber]) -> Audience:
    """Who is called for whose pieces: a MID may have several subscriptions."""
    return ByShipper(subscribers)


class _Fixed:
    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = subscribers

    def subscribers(self, _: Journey) -> Sequence[Subscriber]:
        return self._subscribers


def callbacks_of(journey: Journey, subscribers: Sequence[Subscriber]) -> Iterator[Callback]:
    """In the order in which scans become known; each repeats the history of its leg so far."""
    for told in unfolding(journey, _Fixed(subscribers), lambda *_: None):
        if told is not None:
            yield told


def unfolding(journey: Journey, audience: Audience, on_scan: OnScan) -> Iterator[Callback | None]:
    """The callbacks of a journey, and None for each scan of which there is nobody to tell."""
    for index, leg in enumerate(journey.legs):
        text = LegText(journey, leg)
        ids = [scan_id(journey.tracking_number, scan) for scan in leg.scans]
        for known, scan in enumerate(leg.scans, start=1):
            on_scan(journey, index, known)
            subscribers = audience.subscribers(journey)
            if not subscribers:
                yield None
            for subscriber in subscribers:
                if subscriber.wants(scan):
                    yield _told(journey, leg, text, ids[:known], subscriber)


def _told(
    journey: Journey, leg: Leg, text: LegText, ids: Sequence[str], subscriber: Subscriber
) -> Callback:
    """`ids`: of the scans that are known, without ordinals."""
    number, known = journey.tracking_number, len(ids)
    may_wait = leg is journey.legs[-1]
    if subscriber.detailed:
        return Callback(subscriber, number, text.detailed(known), (ids[-1],), may_wait)
    history = tuple(history_ids(number, leg.scans, ids))
    return Callback(subscriber, number, text.ordinary(known), history, may_wait)


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
