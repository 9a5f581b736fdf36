"""The audit trail's writer gives nothing up."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from processors.deliver.recorder import AuditRecord, Recorder
from schemas.partitions import partition_of
from tests.processors.deliver.fakes import FakeClock

TOPIC = "usps.deliveries.v1"


class FakeProducer:
    """A broker that may refuse to start, to take a batch, or records that are too large."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, int, list[bytes | None]]] = []
        self.failing_starts = 0
        self.failing_sends = 0
        self.most_bytes = 10_000_000
        self.gate: asyncio.Event | None = None
        self.made = 0
        self.closed = 0

    def make(self) -> "FakeProducer":
        self.made += 1
        return self

    async def start(self, topics: Sequence[str]) -> Mapping[str, int]:
        if self.failing_starts:
            self.failing_starts -= 1
            raise KafkaConnectionError
        return dict.fromkeys(topics, 3)

    async def send(self, topic: str, partition: int, records: Sequence[AuditRecord]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failing_sends:
            self.failing_sends -= 1
            raise KafkaConnectionError
        if sum(len(record.value or b"") for record in records) > self.most_bytes:
            raise MessageSizeTooLargeError
        self.batches.append((topic, partition, [record.value for record in records]))

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def broker() -> FakeProducer:
    """A broker that takes everything."""
    return FakeProducer()


async def started(broker: FakeProducer, clock: FakeClock | None = None) -> Recorder:
    """A recorder that has reached the broker."""
    recorder = Recorder(broker.make, [TOPIC], clock or FakeClock(), pause_seconds=0)
    await recorder.start()
    return recorder


def record(value: bytes, key: bytes = b"acme-orders") -> AuditRecord:
    """A record of the one topic."""
    return AuditRecord(TOPIC, key, value, [])


async def test_what_arrives_while_a_batch_is_in_flight_is_the_next_batch(
    broker: FakeProducer,
) -> None:
    """Under load there are few requests, and no record waits for a timer."""
    recorder = await started(broker)
    broker.gate = asyncio.Event()
    recorder.write(record(b"1"), lambda: None)
    await asyncio.sleep(0)
    for n in range(2, 6):
        recorder.write(record(b"%d" % n), lambda: None)
    broker.gate.set()
    await recorder.flush()
    partition = partition_of(b"acme-orders", 3)
    assert broker.batches == [
        (TOPIC, partition, [b"1"]),
        (TOPIC, partition, [b"2", b"3", b"4", b"5"]),
    ]


async def test_acknowledgements_come_in_order_and_only_after_the_broker(
    broker: FakeProducer,
) -> None:
    """A commit that rests on them never runs ahead."""
    recorder = await started(broker)
    broker.gate = asyncio.Event()
    told: list[int] = []
    for n in range(5):
        recorder.write(record(b"x"), lambda n=n: told.append(n))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert told == []
    broker.gate.set()
    await recorder.flush()
    assert told == [0, 1, 2, 3, 4]


async def test_a_failed_batch_is_written_by_a_new_producer(broker: FakeProducer) -> None:
    """Some errors leave aiokafka's producer broken for good; nothing is given up."""
    recorder = await started(broker)
    broker.failing_sends, broker.failing_starts = 2, 2
    told: list[int] = []
    recorder.write(record(b"x"), lambda: told.append(1))
    await recorder.flush()
    assert told == [1]
    assert [values for _, _, values in broker.batches] == [[b"x"]]
    assert broker.made == 5


async def test_too_large_a_batch_is_halved(broker: FakeProducer) -> None:
    """Only a record that is too large by itself stays unwritten, and holds up no other."""
    recorder = await started(broker)
    broker.most_bytes = 10
    told: list[bytes] = []
    for value in (b"aaaaaa", b"bbbbbb", b"c" * 20, b"dd"):
        recorder.write(record(value), lambda value=value: told.append(value))  # type: ignore[misc]
    await recorder.flush()
    assert told == [b"aaaaaa", b"bbbbbb", b"dd"]


async def test_a_batch_stays_below_a_topics_limit(broker: FakeProducer) -> None:
    """A topic's limit of 1 MiB is for a whole batch."""
    recorder = await started(broker)
    for _ in range(10):
        recorder.write(record(b"x" * 200_000), lambda: None)
    await recorder.flush()
    assert max(len(values) for _, _, values in broker.batches) == 2


async def test_silence_of_the_broker_is_told(broker: FakeProducer) -> None:
    """A batch without an answer for long makes the program not ready."""
    clock = FakeClock()
    recorder = await started(broker, clock)
    broker.gate = asyncio.Event()
    recorder.write(record(b"x"), lambda: None)
    await asyncio.sleep(0)
    clock.advance(10)
    assert not recorder.silent()
    clock.advance(1)
    assert recorder.silent()
    broker.gate.set()
    await recorder.flush()
    assert not recorder.silent()


async def test_a_bug_in_who_wrote_stops_the_process(broker: FakeProducer) -> None:
    """An acknowledgement that raises is not passed over."""
    recorder = await started(broker)

    def raise_bug() -> None:
        raise ZeroDivisionError

    recorder.write(record(b"x"), raise_bug)
    with pytest.raises(ZeroDivisionError):
        await recorder.watch()
