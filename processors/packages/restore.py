"""Brings the store of one partition up to the end of its partition of `usps.packages.v1`.

Called when the former owner is fenced, so nobody writes there meanwhile.
"""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from processors.log_ends import written_ends
from processors.packages.store import Mark, StateStore, fingerprint
from schemas.errors import Interrupted
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client

log = structlog.get_logger(__name__)
PORTION_RECORDS: Final = 2_000
POLL_MS: Final = 1_000
# Longer than a transaction may stay open (15 s): then the claim is made anew.
MAX_SILENT_POLLS: Final = 20

CLOSE_SECONDS: Final = 3.0


class Restorer:
    """Reads one partition of the topic of states into its store."""

    def __init__(
        self,
        kafka: KafkaOptions,
        place: TopicPartition,
        store: StateStore,
        on_restored: Callable[[int], None],
    ) -> None:
        self._kafka = kafka
        self._place = place
        self._store = store
        self._on_restored = on_restored

    async def restore(self) -> None:
        """From where the store is to the end, reading committed. Raises Kafka's errors."""
        consumer = AIOKafkaConsumer(**self._kafka.reader())
        try:
            await consumer.start()
            await self._read(consumer)
        finally:
            await end_client(consumer, CLOSE_SECONDS)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        place = self._place
        first: int = (await consumer.beginning_offsets([place]))[place]
        # The true end: states that are committed but not readable yet are waited for, or the
        # events in them would be published again.
        end = (await written_ends(self._kafka, [place]))[place]
        mark = self._store.mark
        if mark is not None and not first <= mark.next_offset <= end:
            await self._begin_anew("the topic ends elsewhere")
            mark = None
        consumer.assign([place])
        # The last record held is read again, to see whether it is still the same.
        consumer.seek(place, first if mark is None else max(first, mark.last_offset))
        restored, silent = 0, 0
        while (before := await consumer.position(place)) < end:
            portion = await self._portion(consumer)
            silent = 0 if portion or await consumer.position(place) > before else silent + 1
            if silent >= MAX_SILENT_POLLS:
                raise Interrupted(
                    "states_unreadable", f"has states from offset {before} on that cannot be read"
                )
            if mark is not None and portion:
                other = _is_other(mark, portion[0])
                mark = None
                if other:
                    await self._begin_anew("its last record is another")
                    consumer.seek(place, first)
                    continue
            restored += len(portion)
            await self._load(portion, before, await consumer.position(place))
        self._on_restored(restored)
        log.info("states_restored", partition=place.partition, records=restored, end=end)

    async def _portion(self, consumer: AIOKafkaConsumer) -> Sequence[ConsumerRecord]:
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=PORTION_RECORDS)
        portion: Sequence[ConsumerRecord] = fetched.get(self._place, ())
        return portion

    async def _load(self, portion: Sequence[ConsumerRecord], before: int, after: int) -> None:
        if not portion and after == before:
            return
        held = self._store.mark
        if portion:
            last = portion[-1]
            mark = Mark(after, last.offset, fingerprint(last.key, last.value))
        elif held is not None:
            mark = Mark(after, held.last_offset, held.fingerprint)
        else:
            return
        await self._store.load({one.key: one.value for one in portion}, mark)

    async def _begin_anew(self, reason: str) -> None:
        """The disk is of another topic: everything is read again."""
        log.warning("state_is_foreign", partition=self._place.partition, reason=reason)
        await self._store.clear()


def _is_other(mark: Mark, found: ConsumerRecord) -> bool:
    """Whether the record at the mark is not the one held; compacted away, it cannot be told."""
    return found.offset == mark.last_offset and mark.fingerprint != fingerprint(
        found.key, found.value
    )
