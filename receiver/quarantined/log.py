"""Reads the quarantine topic with a plain consumer, up to where it ends at the start."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from receiver.following.registry import STOP_SECONDS
from receiver.program import Tools
from receiver.publishing.producer import BROKER_FAULTS, START_SECONDS
from receiver.publishing.topics import TopicState, describe_topics
from receiver.quarantined.kept import Kept, Position
from schemas.errors import OperatorError
from schemas.kafka_clients import end_client, make_consumer
from schemas.settings import PREFIX

# Bodies may be large: so many are in hand at a time.
_AT_ONCE: Final = 200
_POLL_MS: Final = 200
_SILENCE_SECONDS: Final = 60.0


@contextmanager
def faults_told(tools: Tools) -> Iterator[None]:
    """Raises `OperatorError` for whatever goes wrong with Kafka meanwhile."""
    try:
        yield
    except BrokenPipeError:  # of our own output
        raise
    except BROKER_FAULTS as error:
        servers = tools.settings.kafka_bootstrap_servers
        raise OperatorError(
            "broker_failed",
            f"Kafka at {servers} does not serve us ({type(error).__name__}); start it, or correct "
            f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS and the settings to sign in. Then run this again: "
            "what was done already does no harm when it is repeated.",
        ) from None


async def topics_found(tools: Tools) -> Mapping[str, TopicState]:
    """The topics that the tool reads and writes. Raises `OperatorError` if one is missing."""
    names = tools.settings.topics
    wanted = (names.quarantine, names.tracking_updates, names.registry, names.observed)
    async with asyncio.timeout(START_SECONDS):
        found = await describe_topics(tools.kafka, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise OperatorError(
            "topics_missing",
            f"missing: {', '.join(missing)}; run `scanwire-processors topics`, or correct "
            f"{PREFIX}TOPIC_PREFIX",
        )
    return found


class QuarantineLog:
    """The topic from its beginning to its end as of the opening.

    Attributes:
        size: How many records there are, about.
        unreadable: Records met that are none of ours.
    """

    def __init__(
        self,
        reader: AIOKafkaConsumer,
        beginnings: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
    ) -> None:
        self._reader = reader
        self._beginnings = beginnings
        self._ends = ends
        self.size = sum(ends.values()) - sum(beginnings.values())
        self.unreadable = 0

    async def portions(self) -> AsyncIterator[Sequence[Kept]]:
        """Every record, in portions, in order per subscription."""
        places = [place for place in self._ends if self._beginnings[place] < self._ends[place]]
        self._reader.assign(places)
        for place in places:
            self._reader.seek(place, self._beginnings[place])
        last_progress = asyncio.get_running_loop().time()
        while open_places := [place for place in places if await self._is_open(place)]:
            fetched = await self._reader.getmany(
                *open_places, timeout_ms=_POLL_MS, max_records=_AT_ONCE
            )
            for place, records in fetched.items():
                last_progress = asyncio.get_running_loop().time()
                found = [Kept.of(one) for one in records if one.offset < self._ends[place]]
                self.unreadable += found.count(None)
                yield [kept for kept in found if kept is not None]
            if asyncio.get_running_loop().time() - last_progress > _SILENCE_SECONDS:
                raise TimeoutError

    async def fetch(self, positions: Sequence[Position]) -> Sequence[Kept]:
        """These records. Raises `OperatorError` if one does not exist or is not readable."""
        return [await self._fetch(position) for position in dict.fromkeys(positions)]

    async def _fetch(self, position: Position) -> Kept:
        place = next((one for one in self._ends if one.partition == position.partition), None)
        kept = None
        if place is not None and self._beginnings[place] <= position.offset < self._ends[place]:
            self._reader.assign([place])
            self._reader.seek(place, position.offset)
            async with asyncio.timeout(_SILENCE_SECONDS):
                kept = Kept.of(await self._reader.getone(place))
        if kept is None or kept.position != position:
            raise OperatorError(
                "no_such_record",
                f"{position}: there is no such record, or no more; "
                "`scanwire-receiver quarantine list` shows which there are",
            )
        return kept

    async def _is_open(self, place: TopicPartition) -> bool:
        position: int = await self._reader.position(place)
        return position < self._ends[place]


@asynccontextmanager
async def quarantine_log(tools: Tools, partitions: int) -> AsyncIterator[QuarantineLog]:
    """The topic, with so many partitions, opened. Raises one of `BROKER_FAULTS`."""
    topic = tools.settings.topics.quarantine
    places = [TopicPartition(topic, number) for number in range(partitions)]
    reader = make_consumer(**tools.kafka.reader())
    try:
        async with asyncio.timeout(START_SECONDS):
            await reader.start()
            reader.assign(places)
            beginnings = await reader.beginning_offsets(places)
            ends = await reader.end_offsets(places)
        yield QuarantineLog(reader, beginnings, ends)
    finally:
        await end_client(reader, STOP_SECONDS)
