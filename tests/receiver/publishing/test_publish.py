"""Group commit without a spool: batches, deadlines, a broker and producers that fail."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber
from prometheus_client import CollectorRegistry

from receiver.publishing.broker import Broker
from receiver.publishing.door import OutgoingRecord, publish
from receiver.publishing.publish import GroupCommit
from schemas.clock import SystemClock
from schemas.errors import PublishFailed, RecordRejected
from schemas.metrics import ReceiverMetrics
from tests.receiver.fakes import FakeKafka, FakeProducer, counted, eventually, unusable_spool

TOPIC = "usps.tracking-updates.v1"
TIMEOUT_SECONDS = 0.15
MAX_WAITING = 50


class World:
    """A door to a fake Kafka."""

    def __init__(self, partitions: int = 1) -> None:
        self.kafka = FakeKafka({TOPIC: partitions})
        metrics = ReceiverMetrics(CollectorRegistry())
        clock = SystemClock()
        self.broker = Broker(
            self.kafka.producer, self.kafka.find_partitions, [TOPIC], metrics, clock
        )
        self.door = GroupCommit(
            self.broker,
            unusable_spool(clock),
            metrics,
            clock,
            timeout_seconds=TIMEOUT_SECONDS,
            max_waiting=MAX_WAITING,
            lost_after_seconds=0.05,
        )

    def publish(self, value: str, key: str = "key") -> "asyncio.Task[None]":
        """Someone waits for this record."""
        record = OutgoingRecord(TOPIC, key.encode(), value.encode(), [])
        return asyncio.create_task(publish(self.door, record))

    async def in_flight(self, batches: int) -> None:
        """Returns when so many batches wait for the broker."""
        await eventually(lambda: self.kafka.in_flight == batches)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A door with one lane and a started producer."""
    async for one in opened(World()):
        yield one


@pytest.fixture
async def wide_world() -> AsyncIterator[World]:
    """The same with sixteen lanes."""
    async for one in opened(World(16)):
        yield one


async def opened(world: World) -> AsyncIterator[World]:
    """Starts and ends it."""
    running = asyncio.create_task(world.broker.run())
    await eventually(lambda: world.broker.producer is not None)
    yield world
    running.cancel()
    await asyncio.wait([running])


async def test_returns_when_the_record_is_written(world: World) -> None:
    """After publish has returned, the record is in the topic."""
    await world.publish("a")
    assert counted(world.kafka) == {"a": 1}


async def test_what_arrives_in_flight_becomes_the_next_batch(world: World) -> None:
    """However many arrive while a batch is in flight, they are one batch, in their order."""
    world.kafka.answering = False
    first = world.publish("0")
    await world.in_flight(1)
    others = [world.publish(str(number)) for number in range(1, 20)]
    await asyncio.sleep(0)
    world.kafka.answer()
    await asyncio.gather(first, *others)
    batches = [[record.value.decode() for record in records] for _, records in world.kafka.batches]
    assert batches == [["0"], [str(number) for number in range(1, 20)]]


async def test_batches_of_one_broker_start_together(wide_world: World) -> None:
    """While one produce request is in flight, no other lane starts one for the same broker."""
    wide_world.kafka.answering = False
    first = wide_world.publish("first", "9400111899560000000017")
    await wide_world.in_flight(1)
    others = [wide_world.publish(str(number), f"key {number}") for number in range(40)]
    await asyncio.sleep(0.01)
    assert wide_world.kafka.in_flight == 1
    wide_world.kafka.answer()
    await asyncio.gather(first, *others)
    assert len(wide_world.kafka.batches) <= 17


async def test_missed_deadline_is_told_in_time(world: World) -> None:
    """Without an acknowledgement publish fails at its deadline, and then at once."""
    world.kafka.answering = False
    began = monotonic()
    with pytest.raises(PublishFailed, match="in time"):
        await world.publish("a")
    assert monotonic() - began >= TIMEOUT_SECONDS
    with pytest.raises(PublishFailed, match="away"):
        await world.publish("b")
    assert world.broker.readiness()


async def test_what_was_not_sent_is_dropped(world: World) -> None:
    """Who was told 503 before his record was sent need not fear that it is written later."""
    world.kafka.answering = False
    first = world.publish("sent")
    await world.in_flight(1)
    second = world.publish("not sent")
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(result, PublishFailed) for result in results)
    world.kafka.answer()
    await world.publish("after")
    assert counted(world.kafka) == {"sent": 1, "after": 1}


async def test_recovers_when_the_broker_answers(world: World) -> None:
    """The first acknowledgement ends the refusals."""
    world.kafka.answering = False
    with pytest.raises(PublishFailed):
        await world.publish("a")
    world.kafka.answer()
    await world.publish("b")
    assert not world.broker.readiness()
    assert len(world.kafka.producers) == 1


async def test_one_who_gives_up_takes_nothing_away(world: World) -> None:
    """Cancelling one waiter leaves the others of its batch theirs."""
    world.kafka.answering = False
    gone, staying = world.publish("gone"), world.publish("staying")
    await world.in_flight(1)
    gone.cancel()
    world.kafka.answer()
    await staying
    assert counted(world.kafka) == {"gone": 1, "staying": 1}


async def test_waiters_are_bounded(world: World) -> None:
    """More than the setting's number of waiters are refused at once."""
    world.kafka.answering = False
    waiting = [world.publish(str(number)) for number in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(PublishFailed, match="too many"):
        await world.publish("one too many")
    world.kafka.answer()
    await asyncio.gather(*waiting)


async def test_too_large_is_not_tried_again(world: World) -> None:
    """What the broker calls too large fails for good; what follows is written."""
    with pytest.raises(RecordRejected, match="larger") as caught:
        await world.publish("x" * (world.kafka.max_bytes + 1))
    assert caught.value.reason == "record_too_large"
    await world.publish("small")
    assert counted(world.kafka) == {"small": 1}


async def test_too_large_does_not_take_its_batch_along(world: World) -> None:
    """Of a refused batch only the record that is too large by itself is refused."""
    world.kafka.answering = False
    first = world.publish("first")
    await world.in_flight(1)
    world.kafka.max_bytes = 10
    small = world.publish("small")
    large, last = world.publish("too large a record"), world.publish("last")
    await asyncio.sleep(0)
    world.kafka.answer()
    results = await asyncio.gather(first, small, large, last, return_exceptions=True)
    assert [type(result) for result in results] == [
        type(None),
        type(None),
        RecordRejected,
        type(None),
    ]
    assert [record.value for record in world.kafka.written] == [b"first", b"small", b"last"]


async def test_beyond_every_topic_is_refused_unsent(world: World) -> None:
    """A record above the limit of all topics never reaches the broker."""
    with pytest.raises(RecordRejected):
        await world.publish("x" * 9_000_000)
    assert not world.kafka.batches


async def test_broken_producer_is_replaced(world: World) -> None:
    """After a fatal error the record is written by a new producer, within its deadline."""
    world.kafka.fail_next = OutOfOrderSequenceNumber()
    await world.publish("a")
    assert counted(world.kafka) == {"a": 1}
    assert [producer.closed for producer in world.kafka.producers] == [True, False]


async def test_dead_sender_is_replaced(world: World) -> None:
    """A producer that takes no batch any more is replaced, and the record written."""

    class DeadProducer(FakeProducer):
        async def send(self, *_: object) -> "asyncio.Future[None]":
            raise OutOfOrderSequenceNumber

    world.broker.producer = DeadProducer(world.kafka)
    await world.publish("a")
    assert counted(world.kafka) == {"a": 1}


async def test_lost_batch_is_given_up(world: World) -> None:
    """A batch that stays unanswered although the broker answers costs the producer its place."""
    world.kafka.answering = False
    with pytest.raises(PublishFailed):
        await world.publish("a")
    world.broker.acknowledged()
    world.kafka.answering = True
    await eventually(lambda: len(world.kafka.producers) > 1)
    await world.publish("b")
    assert counted(world.kafka) == {"b": 1}


async def test_refused_before_a_broker_was_reached() -> None:
    """Without a broker at start a record is refused at once."""
    world = World()
    with pytest.raises(PublishFailed):
        await world.publish("a")
    assert world.broker.readiness() == ["no broker was reached yet"]
