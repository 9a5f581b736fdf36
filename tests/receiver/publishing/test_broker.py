"""The producer's life: missing topics, a broker that is not there, comes, goes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from receiver.publishing import broker as module
from receiver.publishing.broker import Broker
from schemas.clock import SystemClock
from schemas.metrics import ReceiverMetrics
from tests.receiver.fakes import FakeKafka, eventually

TOPIC = "usps.tracking-updates.v1"


class World:
    """A broker object before its Kafka."""

    def __init__(self) -> None:
        self.kafka = FakeKafka({TOPIC: 3})
        self.metrics = CollectorRegistry()
        self.broker = Broker(
            self.kafka.producer,
            self.kafka.find_partitions,
            [TOPIC],
            ReceiverMetrics(self.metrics),
            SystemClock(),
        )
        self.running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Its background work begins."""
        self.running = asyncio.create_task(self.broker.run())

    @property
    def available(self) -> float | None:
        """The gauge."""
        return self.metrics.get_sample_value("usps_receiver_broker_available")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Ended after the test."""
    one = World()
    yield one
    if one.running is not None:
        one.running.cancel()
        await asyncio.wait([one.running])


async def test_ready_when_a_producer_started(world: World) -> None:
    """With topics and a broker there is a producer, and nothing stands in the way."""
    assert world.broker.readiness() == ["no broker was reached yet"]
    world.start()
    await eventually(lambda: not world.broker.readiness())
    assert world.broker.partitions == {TOPIC: 3}
    assert world.available == 1


async def test_missing_topics_are_named_with_the_remedy(world: World) -> None:
    """Without its topics it waits, says so and what to do, and creates none."""
    world.kafka.partitions.clear()
    world.start()
    await eventually(lambda: TOPIC in world.broker.readiness()[0])
    assert "scanwire-processors topics" in world.broker.readiness()[0]
    assert not world.kafka.producers
    world.kafka.partitions[TOPIC] = 3
    await eventually(lambda: not world.broker.readiness())


async def test_waits_for_a_broker(world: World) -> None:
    """A broker that is not there at start is waited for."""
    world.kafka.reachable = False
    world.start()
    await eventually(lambda: "cannot be reached" in world.broker.readiness()[0])
    assert world.available == 0
    world.kafka.reachable = True
    await eventually(lambda: not world.broker.readiness())


async def test_notices_without_traffic_that_the_broker_is_away(world: World) -> None:
    """Readiness and the gauge follow the broker, also when nothing is published."""
    world.start()
    await eventually(lambda: not world.broker.readiness())
    world.kafka.reachable = False
    await eventually(world.broker.readiness)
    assert world.available == 0
    world.kafka.reachable = True
    await eventually(lambda: not world.broker.readiness())
    assert len(world.kafka.producers) == 1


async def test_partitions_stay_as_first_read(world: World) -> None:
    """A topic that grew keeps its old number here: its pieces must stay where they are."""
    world.start()
    await eventually(lambda: not world.broker.readiness())
    world.kafka.partitions[TOPIC] = 6
    world.broker.renew("test")
    await eventually(lambda: len(world.kafka.producers) > 1)
    assert world.broker.partitions == {TOPIC: 3}


async def test_quick_renewals_are_slowed_down(world: World) -> None:
    """Producers that fail at once are not built in a hot loop."""
    world.start()
    world.broker.on_started = lambda: world.broker.renew("test")
    await eventually(lambda: len(world.kafka.producers) > module.MAX_QUICK_ENDS)
    built = len(world.kafka.producers)
    await asyncio.sleep(0.2)
    assert len(world.kafka.producers) == built


async def test_closes_its_producer_at_the_end(world: World) -> None:
    """Cancelling its work closes the producer."""
    world.start()
    await eventually(lambda: not world.broker.readiness())
    assert world.running is not None
    world.running.cancel()
    await asyncio.wait([world.running])
    assert [producer.closed for producer in world.kafka.producers] == [True]
