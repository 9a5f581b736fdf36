"""Whatever disorder the simulator makes, what becomes of its callbacks is what its record says.

Its callbacks go through everything that reads them, but not through Kafka: envelope, signature,
normalization, and the fold of packages.
"""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from processors.packages.state import fold
from receiver.simulator.callbacks import by_shipper
from receiver.simulator.faults import SOME
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import MANY
from receiver.simulator.outgoing import Fault, Outgoing
from receiver.simulator.scans import Oddity, Shipper
from receiver.simulator.seeded import seeded
from receiver.simulator.stream import CallbackStream
from receiver.simulator.subscribers import Subscriber, shippers_of
from receiver.simulator.truth import Answer, Truth
from schemas.clock import rfc3339
from schemas.errors import CallbackRejected, RecordRejected
from schemas.event import Channel
from schemas.registry.entities import EventType, SignatureScheme
from schemas.usps.callback import parse_envelope, verify
from schemas.usps.normalize import normalize
from schemas.usps.payload import read_payload

NOW = datetime(2026, 11, 24, 5, 17, tzinfo=UTC)
SECRET = "sample-only-secret-0123456789abc"
ORDINARY, DETAILED, BOTH = "912345678", "123456", "912345679"


def subscriber(name: str, mid: str, *event_types: EventType) -> Subscriber:
    """A subscription whose id is its name."""
    kinds = frozenset(event_types)
    return Subscriber(name, name, Shipper(mid), kinds, SignatureScheme(), SecretStr(SECRET))


SUBSCRIBERS = [
    subscriber("ordinary", ORDINARY, EventType.ALL_UPDATES, EventType.PACKAGE_DELAYED),
    subscriber("detailed", DETAILED, EventType.SCAN_EVENT_EXTRACT),
    subscriber("both-ordinary", BOTH, EventType.ALL_UPDATES),
    subscriber("both-activity", BOTH, EventType.DELIVERY_ACTIVITY),
]
MIDS = {one.subscription_id: one.shipper.mid for one in SUBSCRIBERS}


class Reader:
    """Receiver and packages in one, for one callback after another."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self.published: defaultdict[str, list[str]] = defaultdict(list)

    def take(self, request: Outgoing, received: datetime) -> Answer:
        """The answer that the receiver gives."""
        headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
        try:
            callback = parse_envelope(request.body, headers)
            if callback.subscription_id not in MIDS:
                return Answer(401, "unknown_subscription", 1, 0.0)
            verify(callback, [SECRET.encode()])
        except CallbackRejected as error:
            return Answer(400 if error.reason.startswith("not_") else 401, error.reason, 1, 0.0)
        try:
            payload, escaped_twice = read_payload(callback.payload)
            update = normalize(
                payload,
                channel=Channel.WEBHOOK,
                update_id=request.update_id or "",
                subscription_id=callback.subscription_id,
                subscription_mid=MIDS[callback.subscription_id],
                received_at=rfc3339(received),
                received=received,
                reported_at=callback.timestamp,
                original=callback.payload,
                escaped_twice=escaped_twice,
            )
        except RecordRejected:
            return Answer(200, "accepted", 1, 0.0)  # set aside: the same again would not help
        self._fold(update.record)
        return Answer(200, "accepted", 1, 0.0)

    def _fold(self, update: dict[str, Any]) -> None:
        number = update["tracking_number"]
        folded = fold(self.states.get(number), update)
        if folded.state is not None:
            self.states[number] = folded.state
        new = (event for event in folded.events if not event["new_evidence"])
        self.published[number] += [event["event_id"] for event in new]


def run(packages: int, record: Path) -> Reader:
    """All disorders at once; a callback is received when its newest scan becomes known."""
    reader = Reader()
    known_at: dict[str, datetime] = {}
    with Truth(record) as truth:
        stream = CallbackStream(
            JourneyMaker(11, shippers_of(SUBSCRIBERS), NOW, MANY).journeys(packages),
            by_shipper(SUBSCRIBERS),
            seeded(11, "stream"),
            dict.fromkeys(SOME, 0.02),
            active=100,
            on_journey=truth.journey,
            on_scan=lambda journey, leg, count: known_at.__setitem__(
                journey.tracking_number, journey.legs[leg].scans[count - 1].known_at
            ),
        )
        while (request := stream.next(rfc3339(NOW))) is not None:
            received = known_at[request.tracking_number]
            truth.answered(request, reader.take(request, received))
        assert truth.tally.unexpected == 0
        assert set(truth.tally.faults) == set(Fault)
        assert set(truth.tally.oddities) == set(Oddity)
    return reader


def check(reader: Reader, record: Path) -> None:
    """Holds event sets and final states against the record."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    ends: dict[str, str] = {}
    answers: Counter[str] = Counter()
    for line in map(orjson.loads, record.read_bytes().splitlines()):
        match line["kind"]:
            case "journey":
                ends[line["tracking_number"]] = line["pieces"][-1]["category"]
            case "callback":
                told[line["tracking_number"]].update(line["event_ids"])
                answers[line["slug"]] += 1
            case "summary":
                assert line["answers"] == answers
    assert reader.states.keys() == told.keys() == ends.keys()
    for number, state in reader.states.items():
        published = reader.published[number]
        assert set(published) == told[number], number
        assert len(published) == len(told[number]), number
        assert state["category"] == ends[number], number
        assert state["events_seen"] == len(published), number


def test_final_states_and_event_sets_are_as_recorded(tmp_path: Path) -> None:
    """Two thousand packages, every fault and oddity many times: each event once, each end right."""
    record = tmp_path / "record.jsonl"
    check(run(2_000, record), record)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_packages_end_as_recorded(tmp_path: Path) -> None:
    """The same of twenty thousand."""
    record = tmp_path / "record.jsonl"
    check(run(20_000, record), record)
