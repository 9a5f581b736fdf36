"""The router's work on one partition: judge, hand to merchants, tell what was decided."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aiokafka.structs import ConsumerRecord

from processors.consume import OutRecord
from processors.consume.dead_letters import dead_letter_for, dead_letter_of
from processors.router.events import read_event
from processors.router.judge import Judgement, judge
from processors.router.records import (
    MerchantRecord,
    Ruling,
    decision_record,
    merchant_records,
    withheld_records,
)
from schemas.clock import Clock, rfc3339
from schemas.errors import RecordRejected
from schemas.metrics import RouterMetrics
from schemas.registry.index import Registry
from schemas.topics import TopicNames

PROGRAM: Final = "router"
ALLOWED: Final = "allowed"
DEAD_LETTERED: Final = "dead_lettered"


class Writer(Protocol):
    """Where merchants' records go; `processors.router.merchant_writer` has the real one."""

    async def write(self, records: Sequence[MerchantRecord]) -> Sequence[MerchantRecord]:
        """Returns when the brokers have them, with those that are too large for them."""


class RouterStage:
    """A `Stage` of `processors.consume`."""

    def __init__(
        self,
        names: TopicNames,
        registry: Callable[[], Registry],
        writer: Writer,
        clock: Clock,
        metrics: RouterMetrics,
    ) -> None:
        self._names = names
        self._registry = registry
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._events = 0
        self._outcomes: Counter[str] = Counter()

    async def restore(self) -> None:
        """There is nothing to catch up with: what is judged depends on the record alone."""

    async def transform(self, records: Sequence[ConsumerRecord]) -> Sequence[OutRecord]:
        """1. All records are judged by one revision. 2. Merchants' topics have acknowledged.

        3. Decisions and withheld records are returned, for the transaction with the offset.
        """
        merchants: list[MerchantRecord] = []
        out = self._judged(records, merchants)
        for refused in await self._writer.write(merchants):
            out.append(self._too_large(records[0], refused))
        return out

    def committed(self) -> None:
        """Counts what is now certain."""
        self._metrics.events.inc(self._events)
        for outcome, count in self._outcomes.items():
            self._metrics.decisions.labels(outcome).inc(count)
        self.aborted()

    def aborted(self) -> None:
        """Forgets the counts: the records come again."""
        self._events = 0
        self._outcomes.clear()

    async def idle(self) -> Sequence[OutRecord]:
        """Nothing to sweep."""
        return ()

    async def close(self) -> None:
        """Nothing is held."""

    def _judged(
        self, records: Sequence[ConsumerRecord], merchants: list[MerchantRecord]
    ) -> list[OutRecord]:
        """Without an await: the registry does not change meanwhile."""
        registry, now = self._registry(), self._clock.now()
        at = rfc3339(now)
        out: list[OutRecord] = []
        for record in records:
            try:
                event = read_event(record.value)
            except RecordRejected as error:
                out.append(dead_letter_of(self._names, PROGRAM, record, error.reason, now))
                self._outcomes[DEAD_LETTERED] += 1
                continue
            ruling = Ruling(event, judge(event, registry, now), record.partition, record.offset)
            merchants.extend(merchant_records(ruling))
            out.append(decision_record(self._names, ruling, registry.revision, at))
            out.extend(withheld_records(self._names, ruling, at))
            self._count(ruling.judgement)
        self._events += len(records)
        return out

    def _count(self, judgement: Judgement) -> None:
        for party in judgement.parties:
            self._outcomes[ALLOWED if party.reason is None else party.reason] += 1

    def _too_large(self, record: ConsumerRecord, refused: MerchantRecord) -> OutRecord:
        """The dead letter of an event that a merchant's topic does not take."""
        topic = self._names.merchant(refused.merchant)
        position = (record.topic, record.partition, refused.source_offset)
        out = OutRecord(topic, 0, refused.key, refused.value, refused.headers)
        return dead_letter_for(self._names, PROGRAM, position, out, self._clock.now())
