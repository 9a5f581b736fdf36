"""Answers of the Tracking API as tracking updates, through the door of the callbacks."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import structlog

from receiver.publishing.door import Door, OutgoingRecord, publish
from receiver.publishing.updates import update_record
from receiver.usps.timing import Timing
from receiver.usps.tracking import LookupAnswer, LookupOutcome
from schemas.clock import rfc3339
from schemas.errors import PublishFailed, RecordRejected
from schemas.event import Channel
from schemas.update import update_id
from schemas.usps.normalize import Normalized, normalize

log = structlog.get_logger(__name__)
_AGAIN_SECONDS: Final = 1.0


class LookupPublisher:
    """Makes answers durable. `updates` and `events`: how many it published so far."""

    def __init__(self, door: Door, topic: str, timing: Timing) -> None:
        self._door = door
        self._topic = topic
        self._timing = timing
        self.updates = 0
        self.events = 0
        self.waits_for_broker = False

    async def publish(self, answers: Sequence[LookupAnswer]) -> dict[str, str]:
        """Returns when all found pieces are in Kafka: the state of each number."""
        states = await asyncio.gather(*map(self._publish_one, answers))
        return {
            answer.tracking_number: state.value
            for answer, state in zip(answers, states, strict=True)
        }

    async def _publish_one(self, answer: LookupAnswer) -> LookupOutcome:
        """The pieces of one number, one after the other; one that is readable is enough."""
        if answer.outcome is not LookupOutcome.FOUND:
            return answer.outcome
        published = 0
        for document in answer.documents:
            try:
                normalized = self._normalized(document)
                await self._until_durable(update_record(self._topic, normalized))
            except RecordRejected as error:
                log.error("lookup_answer_rejected", reason=error.reason)
                continue
            published += 1
            self.updates += 1
            self.events += len(normalized.categories)
        return LookupOutcome.FOUND if published else LookupOutcome.UNREADABLE

    def _normalized(self, document: Mapping[str, Any]) -> Normalized:
        """Raises `RecordRejected`: nobody can read it, however often it comes."""
        received = self._timing.clock.now()
        return normalize(
            document,
            channel=Channel.API,
            update_id=lookup_id(document),
            subscription_id=None,
            subscription_mid=None,
            received_at=rfc3339(received),
            received=received,
            reported_at=None,
            original=_text(document),
        )

    async def _until_durable(self, record: OutgoingRecord) -> None:
        """However long the broker is away: the answer cost a call of the quota."""
        while True:
            try:
                await publish(self._door, record)
            except PublishFailed:
                self.waits_for_broker = True
                await self._timing.sleep(_AGAIN_SECONDS)
            else:
                self.waits_for_broker = False
                return


def lookup_id(document: Mapping[str, Any]) -> str:
    """The update id of an answer: equal for equal answers, whatever their order of fields."""
    return update_id("", Channel.API.value, _text(document, orjson.OPT_SORT_KEYS))


def _text(document: Mapping[str, Any], option: int = 0) -> str:
    try:
        return orjson.dumps(document, option=option).decode()
    except orjson.JSONEncodeError:
        raise RecordRejected("payload_unreadable", "the answer nests too deep") from None
