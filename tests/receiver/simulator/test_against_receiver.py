"""The simulator and the code that reads USPS's callbacks understand each other."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from receiver.simulator.callbacks import by_shipper
from receiver.simulator.faults import SOME
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import MANY
from receiver.simulator.outgoing import Becomes, Fault, Outgoing
from receiver.simulator.scans import Shipper
from receiver.simulator.seeded import seeded
from receiver.simulator.stream import CallbackStream
from receiver.simulator.subscribers import Subscriber
from schemas.clock import rfc3339
from schemas.errors import CallbackRejected, RecordRejected
from schemas.event import Channel
from schemas.registry.entities import EventType, SignatureScheme
from schemas.usps.callback import parse_envelope, verify
from schemas.usps.normalize import normalize
from schemas.usps.payload import read_payload

NOW = datetime(2026, 11, 24, 5, 17, tzinfo=UTC)
SECRET = "sample-only-secret-0123456789abc"
ORDINARY = frozenset({EventType.ALL_UPDATES, EventType.PACKAGE_DELAYED})
DETAILED = frozenset({EventType.SCAN_EVENT_EXTRACT})


def requests(event_types: frozenset[EventType], shipper: Shipper) -> list[Outgoing]:
    """A hard run for one subscription."""
    subscriber = Subscriber(
        "one", "its-id", shipper, event_types, SignatureScheme(), SecretStr(SECRET)
    )
    stream = CallbackStream(
        JourneyMaker(7, [shipper], NOW, MANY).journeys(60),
        by_shipper([subscriber]),
        seeded(7, "stream"),
        dict.fromkeys(SOME, 0.05),
        active=10,
        on_journey=lambda _: None,
    )
    sent = []
    while (request := stream.next(rfc3339(NOW))) is not None:
        sent.append(request)
    return sent


def received(request: Outgoing, mid: str) -> tuple[str, dict[str, Any] | None]:
    """The slug by which the request is answered or set aside, and the update it becomes."""
    headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    try:
        callback = parse_envelope(request.body, headers)
        if callback.subscription_id != "its-id":
            return "unknown_subscription", None
        verify(callback, [SECRET.encode()])
        payload, escaped_twice = read_payload(callback.payload)
        update = normalize(
            payload,
            channel=Channel.WEBHOOK,
            update_id=request.update_id or "",
            subscription_id=callback.subscription_id,
            subscription_mid=mid,
            received_at=rfc3339(NOW),
            received=NOW,
            reported_at=callback.timestamp,
            original=callback.payload,
            escaped_twice=escaped_twice,
        )
    except (CallbackRejected, RecordRejected) as error:
        return error.reason, None
    return "accepted", update.record


@pytest.mark.parametrize("event_types", [ORDINARY, DETAILED], ids=["ordinary", "detailed"])
@pytest.mark.parametrize("mid", ["912345678", "123456"])
def test_ids_and_answers_are_foretold(event_types: frozenset[EventType], mid: str) -> None:
    """The receiver finds exactly the event ids and the outcome that the simulator expects."""
    for request in requests(event_types, Shipper(mid)):
        slug, update = received(request, mid)
        if request.becomes is Becomes.PUBLISHED:
            assert update is not None
            assert update["tracking_number"] == request.tracking_number
            found = [event["event_id"] for event in update["events"]]
            assert sorted(found) == sorted(request.event_ids), request.fault
        elif request.becomes is Becomes.QUARANTINED:
            assert slug in {"payload_unreadable", "mid_contradiction"}
        else:
            assert slug == request.slug


def test_twice_escaped_payloads_are_flagged() -> None:
    """They are read, with the flag that says so."""
    for request in requests(ORDINARY, Shipper("912345678")):
        _, update = received(request, "912345678")
        if update is not None:
            flagged = "payload_escaped_twice" in update["flags"]
            assert flagged == (request.fault is Fault.ESCAPED_TWICE)
