"""Time, a sink, an audit trail and merchant records that behave, for the delivery loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import count
from typing import Any, ClassVar

import orjson
from aiokafka.structs import ConsumerRecord

from processors.deliver.recorder import Acknowledged, AuditRecord
from processors.sinks.base import AttemptResult, Outcome, Sink, SinkEvent
from schemas.registry.destinations import HttpDestination
from schemas.topics import TopicNames

TOPIC = "usps.merchant.acme.v1"
NAMES = TopicNames("usps.")
DESTINATION = HttpDestination(
    id="acme-orders",
    merchant="acme",
    kind="http",
    url="https://orders.acme.example/usps",
    signing_secrets=["env:SIGNING"],
)
ACCEPTED = AttemptResult(Outcome.ACCEPTED, 200)
REFUSED = AttemptResult(Outcome.REFUSED, 400)
UNAVAILABLE = AttemptResult(Outcome.UNAVAILABLE, 503)
GONE = AttemptResult(Outcome.GONE, 410)


class FakeTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class FakeClock:
    """Stands still until `advance`, which makes the calls whose time has come."""

    def __init__(self) -> None:
        self._seconds = 1000.0
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._tie = count()

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self._seconds - 1000)

    def monotonic(self) -> float:
        return self._seconds

    def call_later(self, seconds: float, call: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(call)
        heappush(self._timers, (self._seconds + seconds, next(self._tie), timer))
        return timer

    @property
    def next_timer(self) -> float | None:
        """Seconds until the next call; None: there is none."""
        live = [at for at, _, timer in self._timers if timer.call is not None]
        return min(live) - self._seconds if live else None

    def advance(self, seconds: float) -> None:
        until = self._seconds + seconds
        while self._timers and self._timers[0][0] <= until:
            at, _, timer = heappop(self._timers)
            self._seconds = max(self._seconds, at)
            if timer.call is not None:
                timer.call()
        self._seconds = until


@dataclass(eq=False)
class Attempt:
    """One `deliver` that a `FakeSink` was asked for."""

    events: Sequence[SinkEvent]
    done: "asyncio.Future[Sequence[AttemptResult]]"

    def ends(self, *results: AttemptResult) -> None:
        """Ends with these results; one for all, or one each."""
        self.done.set_result(results if len(results) > 1 else list(results) * len(self.events))


class FakeSink(Sink):
    """Answers by plan: first what was set for the number, else `always`; or waits for a test."""

    kind: ClassVar[str] = "fake"

    def __init__(self, max_in_flight: int = 8, batch: int = 1, *, runs: bool = False) -> None:
        self.max_batch = batch  # type: ignore[misc]
        self.takes_runs = runs  # type: ignore[misc]
        self._max_in_flight = max_in_flight
        self.always: AttemptResult | None = ACCEPTED
        self.plan: dict[str, deque[AttemptResult]] = {}
        self.attempted: list[str] = []
        self.accepted: list[SinkEvent] = []
        self.waiting: list[Attempt] = []

    @property
    def max_in_flight(self) -> int:
        return self._max_in_flight

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def answers(self, number: str, *results: AttemptResult) -> None:
        """What the next attempts of this number meet."""
        self.plan.setdefault(number, deque()).extend(results)

    async def deliver(self, events: Sequence[SinkEvent]) -> Sequence[AttemptResult]:
        self.attempted += [event.event_id for event in events]
        if self.always is None and not any(self.plan.get(e.tracking_number) for e in events):
            attempt = Attempt(events, asyncio.get_running_loop().create_future())
            self.waiting.append(attempt)
            results: Sequence[AttemptResult] = await attempt.done
        else:
            results = [self._result(event) for event in events]
        for event, result in zip(events, results, strict=True):
            if result.outcome is Outcome.ACCEPTED:
                self.accepted.append(event)
        return results

    def _result(self, event: SinkEvent) -> AttemptResult:
        planned = self.plan.get(event.tracking_number)
        if planned:
            return planned.popleft()
        assert self.always is not None
        return self.always


class FakeRecorder:
    """Keeps what is written; acknowledges at once, or when told."""

    def __init__(self) -> None:
        self.written: list[AuditRecord] = []
        self.prompt = True
        self._open: list[Acknowledged] = []

    def write(self, record: AuditRecord, acknowledged: Acknowledged) -> None:
        self.written.append(record)
        if self.prompt:
            acknowledged()
        else:
            self._open.append(acknowledged)

    def acknowledge_all(self) -> None:
        """Also what is written meanwhile."""
        while self._open:
            self._open.pop(0)()

    def on(self, topic: str) -> list[dict[str, Any]]:
        """The values written to a topic."""
        return [orjson.loads(r.value) for r in self.written if r.topic == topic and r.value]

    @property
    def outcomes(self) -> dict[str, str]:
        """The last outcome by event id."""
        return {d["event_id"]: d["outcome"] for d in self.on(NAMES.deliveries)}


def event_id_of(number: str, sequence: int) -> str:
    """The id of a `scan_event`."""
    return blake2b(f"{number}/{sequence}".encode(), digest_size=16).hexdigest()


def scan_event(number: str, sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """A ScanEvent as the router writes it to a merchant's topic."""
    return {
        "event_id": event_id_of(number, sequence),
        "tracking_number": number,
        "mail_kind": "package",
        "event_code": "10",
        "event_text": "Processed Through Facility",
        "category": "in_transit",
        "event_time": "2026-11-23T10:00:00Z",
        "event_local_time": "2026-11-23T04:00:00",
        "utc_offset": None,
        "time_precision": "second",
        "time_basis": "gmt_field",
        "city": "CHICAGO",
        "state": "IL",
        "zip": "60601",
        "country": None,
        "facility": None,
        "attributes": {},
        "flags": [],
        "mid": "912345678",
        "mid_source": "subscription",
        "channel": "webhook",
        "subscription_id": "s-1",
        "received_at": "2026-11-23T10:01:00.000Z",
        "sequence": sequence,
        "piece": 1,
        "new_evidence": False,
        "variant_of": None,
        "first_in_category": True,
        "late": False,
        "package_category": "in_transit",
        "expected_delivery": None,
        **changes,
    }


def merchant_headers(event: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """What the router writes beside it."""
    return [
        ("ce_id", event["event_id"].encode()),
        ("ce_type", b"usps.scan_event"),
        ("content-type", b"application/json"),
        ("scanwire-grant", b"owner:912345678"),
    ]


def merchant_record(
    event: Mapping[str, Any] | bytes, offset: int, partition: int = 0
) -> ConsumerRecord:
    """A record as a consumer returns it."""
    raw = event if isinstance(event, bytes) else orjson.dumps(event)
    key = b"?" if isinstance(event, bytes) else event["tracking_number"].encode()
    headers = [] if isinstance(event, bytes) else merchant_headers(event)
    return ConsumerRecord(
        topic=TOPIC,
        partition=partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=key,
        value=raw,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=headers,
    )
