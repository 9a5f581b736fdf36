"""How a delivery ended, written down; then, and only then, its offset is settled.

1. The sink has the event, or a dead letter or withheld record is acknowledged.
2. The delivery record is acknowledged.
3. The offset counts as settled and may be committed.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from aiokafka.structs import ConsumerRecord

from processors.deliver.commits import PartitionProgress
from processors.deliver.ordering import InHand
from processors.deliver.recorder import AuditRecord, AuditTrail
from processors.sinks.base import RecordPosition, SinkEvent
from schemas.access import Reason
from schemas.clock import Clock, rfc3339
from schemas.headers import record_headers
from schemas.metrics import SinkMetrics
from schemas.records import AttemptOutcome, CloudEventType, DeliveryOutcome
from schemas.registry.destinations import DestinationBase
from schemas.topics import TopicNames

SOURCE: Final = "scanwire/sinks"
Then = Callable[[], None]


class Settlements:
    """Writes the audit trail of one destination."""

    def __init__(
        self,
        destination: DestinationBase,
        topics: TopicNames,
        trail: AuditTrail,
        clock: Clock,
        metrics: SinkMetrics,
    ) -> None:
        self._destination = destination.id
        self._merchant = destination.merchant
        self._topics = topics
        self._trail = trail
        self._clock = clock
        self._settled = {
            outcome: metrics.deliveries.labels(destination.id, outcome.value)
            for outcome in DeliveryOutcome
        }
        self._latency = metrics.latency_seconds
        self._unwritten = 0
        self._written = asyncio.Event()
        self._written.set()

    async def written(self) -> None:
        """Returns when every settlement so far is acknowledged."""
        await self._written.wait()

    def accepted(self, item: InHand) -> None:
        """The sink has it."""
        self._begin()
        self._deliver(item, DeliveryOutcome.ACCEPTED)

    def filtered(self, item: InHand) -> None:
        """The destination does not want this category."""
        self._begin()
        self._deliver(item, DeliveryOutcome.FILTERED)

    def revoked(self, item: InHand, reason: Reason) -> None:
        """The merchant may not have it any more: withheld, until a right comes."""
        self._begin()
        now = rfc3339(self._clock.now())
        event = item.event
        value = {
            "event": orjson.Fragment(event.value),
            "merchant": self._merchant,
            "reason": reason.value,
            "withheld_at": now,
        }
        record_id = f"{event.event_id}/{self._merchant}/{now}"
        headers = record_headers(
            record_id, CloudEventType.WITHHELD, SOURCE, now, event.tracking_number
        )
        # The tracking number as key: its release index is the router's of that partition.
        key = event.tracking_number.encode()
        record = AuditRecord(self._topics.withheld, key, orjson.dumps(value), headers)
        self._trail.write(record, partial(self._deliver, item, DeliveryOutcome.REVOKED))

    def dead_lettered(self, item: InHand, reason: str) -> None:
        """It was given up on."""
        self._begin()
        event = item.event
        self._dead_letter(
            event.position,
            {
                "event": orjson.Fragment(event.value),
                "key": event.key.decode("utf-8", "replace"),
                "attempts": [_as_json(attempt) for attempt in item.attempts],
                "reason": reason,
            },
            event.tracking_number,
            partial(self._deliver, item, DeliveryOutcome.DEAD_LETTERED),
        )

    def unreadable(self, record: ConsumerRecord, progress: PartitionProgress, reason: str) -> None:
        """A record that is no event: set aside whole; nothing of it can be delivered."""
        self._begin()
        self._settled[DeliveryOutcome.DEAD_LETTERED].inc()
        self._dead_letter(
            RecordPosition(record.topic, record.partition, record.offset),
            {
                "event": None,
                "record_base64": b64encode(record.value or b"").decode(),
                "key": None if record.key is None else record.key.decode("utf-8", "replace"),
                "attempts": [],
                "reason": reason,
            },
            None,
            partial(self._end, progress, record.offset),
        )

    def _dead_letter(
        self, position: RecordPosition, said: dict[str, Any], subject: str | None, then: Then
    ) -> None:
        now = rfc3339(self._clock.now())
        value = {"destination": self._destination, **_place(position), **said}
        value["dead_lettered_at"] = now
        record_id = f"{self._destination}/{position.partition}/{position.offset}/dead-letter"
        headers = record_headers(record_id, CloudEventType.DEAD_LETTER, SOURCE, now, subject)
        self._write(self._topics.dead_letters, value, headers, then)

    def _deliver(self, item: InHand, outcome: DeliveryOutcome) -> None:
        """Writes the delivery record; its acknowledgement settles the offset."""
        event, settled_at = item.event, self._clock.now()
        latency = max((settled_at - event.subject.received_at).total_seconds(), 0.0)
        self._settled[outcome].inc()
        if outcome is DeliveryOutcome.ACCEPTED:
            self._latency.observe(latency)
        value = {
            "destination": self._destination,
            "merchant": self._merchant,
            "event_id": event.event_id,
            "tracking_number": event.tracking_number,
            **_place(event.position),
            "grant": item.grant or event.grant,
            "outcome": outcome.value,
            "attempts": item.tries,
            "first_attempt_at": _text(item.first_attempt_at),
            "settled_at": rfc3339(settled_at),
            "latency_seconds": round(latency, 3),
        }
        self._write(
            self._topics.deliveries,
            value,
            self._delivery_headers(event, value["settled_at"]),
            partial(self._end, item.progress, event.position.offset),
        )

    def _delivery_headers(self, event: SinkEvent, time: str) -> list[tuple[str, bytes]]:
        place = event.position
        record_id = f"{self._destination}/{place.partition}/{place.offset}/{event.event_id}"
        return record_headers(
            record_id, CloudEventType.DELIVERY, SOURCE, time, event.tracking_number
        )

    def _begin(self) -> None:
        self._unwritten += 1
        self._written.clear()

    def _end(self, progress: PartitionProgress, offset: int) -> None:
        progress.settle(offset)
        self._unwritten -= 1
        if not self._unwritten:
            self._written.set()

    def _write(
        self, topic: str, value: dict[str, Any], headers: list[tuple[str, bytes]], then: Then
    ) -> None:
        record = AuditRecord(topic, self._destination.encode(), orjson.dumps(value), headers)
        self._trail.write(record, then)


def _place(position: RecordPosition) -> dict[str, Any]:
    return {
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _as_json(attempt: AttemptOutcome) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "detail": attempt.detail,
    }
