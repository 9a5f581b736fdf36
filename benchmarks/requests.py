"""Prepared requests: signed callbacks of about 3 KB with five to six events on average."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from receiver.simulator.callbacks import callbacks_of, envelope, signature_headers
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import NONE
from receiver.simulator.scans import Journey
from receiver.simulator.subscribers import Subscriber, shippers_of
from schemas.clock import rfc3339

SEED = 11
# Callbacks of so many pieces are mixed, as they are on a busy listener.
ACTIVE_PIECES = 400


def prepared_requests(subscriber: Subscriber, count: int, now: datetime) -> list[bytes]:
    """Whole HTTP/1.1 requests, each a distinct callback. `now`: aware, in UTC."""
    return [
        _request(subscriber, payload, now) for payload in islice(_mixed(subscriber, now), count)
    ]


def _mixed(subscriber: Subscriber, now: datetime) -> Iterator[str]:
    """Payloads of many journeys in turn; those of one journey in their order."""
    journeys = JourneyMaker(SEED, shippers_of([subscriber]), now, NONE).journeys()
    active = [_payloads(next(journeys), subscriber) for _ in range(ACTIVE_PIECES)]
    while True:
        for index, payloads in enumerate(active):
            payload = next(payloads, None)
            if payload is None:
                active[index] = _payloads(next(journeys), subscriber)
                payload = next(active[index])
            yield payload


def _payloads(journey: Journey, subscriber: Subscriber) -> Iterator[str]:
    return (callback.payload for callback in callbacks_of(journey, [subscriber]))


def _request(subscriber: Subscriber, payload: str, now: datetime) -> bytes:
    timestamp = rfc3339(now)
    body = envelope(subscriber.subscription_id, timestamp, payload)
    headers = signature_headers(subscriber, timestamp, payload, body)
    lines = [
        "POST /usps/tracking HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
