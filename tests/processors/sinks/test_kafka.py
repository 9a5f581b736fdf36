"""The kafka sink against a real broker."""

import asyncio
from collections.abc import Sequence

import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord, TopicPartition

from deploy.broker import LocalBroker
from processors.sinks.base import Outcome, Sink, SinkEvent, SinkTools, SinkUnusable
from processors.sinks.table import make_sink
from schemas.clock import SystemClock
from schemas.partitions import partition_of
from schemas.registry.destinations import parse_destination
from schemas.secrets import Secrets, SecretUnavailable
from tests.contracts.sink import ReceivingEnd, SinkContract, opened, outcomes, sink_event

PARTITIONS = 3


class OtherCluster(ReceivingEnd):
    """A topic of three partitions, read to its end whenever it is asked."""

    def __init__(self, servers: str, topic: str) -> None:
        self.servers = servers
        self.topic = topic

    def sink(self, **changes: object) -> Sink:
        declared = {
            "id": "acme-stream",
            "merchant": "acme",
            "kind": "kafka",
            "bootstrap_servers": self.servers,
            "topic": self.topic,
            **changes,
        }
        secrets = Secrets({"PASSWORD": "p"}, str)
        return make_sink(parse_destination(declared), SinkTools(secrets, SystemClock()))

    def lost_sink(self) -> Sink:
        return self.sink(bootstrap_servers="127.0.0.1:1")

    async def records(self) -> list[ConsumerRecord]:
        """Everything on the topic, in the order of writing."""
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self.servers) as reader:
            reader.assign(partitions)
            await reader.seek_to_beginning(*partitions)
            ends = await reader.end_offsets(partitions)
            found: list[ConsumerRecord] = []
            while len(found) < sum(ends.values()):
                fetched = await reader.getmany(timeout_ms=1000)
                found += [record for records in fetched.values() for record in records]
        return sorted(found, key=lambda record: (record.timestamp, record.offset))

    async def received(self) -> list[tuple[str, bytes]]:
        return [(dict(r.headers)["ce_id"].decode(), r.value) for r in await self.records()]


async def make_topic(servers: str, topic: str, **config: str) -> None:
    """A topic as a merchant might have it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=config)])
    while not await has_leaders(admin, topic):  # noqa: ASYNC110 -- a broker tells nobody
        await asyncio.sleep(0.05)
    await admin.close()


async def has_leaders(admin: AIOKafkaAdminClient, topic: str) -> bool:
    """Whether the topic can be written to: right after its creation it cannot."""
    found = [known for known in await admin.describe_topics() if known["topic"] == topic]
    return bool(found) and all(part["leader"] >= 0 for part in found[0]["partitions"])


@pytest.fixture
async def end(broker: LocalBroker, topic_prefix: str) -> OtherCluster:
    """A topic that is there."""
    end = OtherCluster(broker.bootstrap_servers, f"{topic_prefix}theirs")
    await make_topic(end.servers, end.topic)
    return end


class TestKafkaSink(SinkContract):
    """The shared suite."""


async def test_key_value_and_event_headers_stay(end: OtherCluster) -> None:
    """Our own notes do not leave; the partition is Kafka's default for the key."""
    event = sink_event("9205500000000000000001")
    async with opened(end.sink()) as sink:
        await outcomes(sink, event)
    [record] = await end.records()
    assert (record.key, record.value) == (event.key, event.value)
    assert record.partition == partition_of(event.key, PARTITIONS)
    assert [name for name, _ in record.headers] == ["ce_id", "ce_type", "content-type"]


async def test_a_missing_topic_is_not_made_by_asking(end: OtherCluster) -> None:
    """The destination is unavailable until the merchant makes it; then delivery goes on."""
    end.topic = f"{end.topic}-later"
    async with opened(end.sink()) as sink:
        for _ in range(2):
            [result] = await sink.deliver([sink_event("a")])
            assert (result.outcome, result.detail) == (Outcome.UNAVAILABLE, "topic_missing")
        await make_topic(end.servers, end.topic)
        assert await outcomes(sink, sink_event("a")) == [Outcome.ACCEPTED]


async def test_only_a_record_that_is_too_large_is_refused(
    broker: LocalBroker, topic_prefix: str
) -> None:
    """The topic's limit is for a batch: what was only sent together with it is accepted."""
    end = OtherCluster(broker.bootstrap_servers, f"{topic_prefix}small")
    await make_topic(end.servers, end.topic, **{"max.message.bytes": "5000"})
    small = [sink_event("a"), sink_event("b", 1), sink_event("b", 3), sink_event("c")]
    large = sink_event("b", 2, attributes={"x": "y" * 6000})
    events: Sequence[SinkEvent] = [small[0], small[1], large, small[2], small[3]]
    async with opened(end.sink()) as sink:
        results = await sink.deliver(events)
        assert [r.outcome for r in results] == [
            Outcome.ACCEPTED,
            Outcome.ACCEPTED,
            Outcome.REFUSED,
            Outcome.UNAVAILABLE,
            Outcome.ACCEPTED,
        ]
        assert (results[2].retriable, results[2].detail) == (False, "record_too_large")
        assert await outcomes(sink, small[2]) == [Outcome.ACCEPTED]
    assert {known for known, _ in await end.received()} == {e.event_id for e in small}


async def test_a_broker_that_comes_back_is_used_again(
    private_broker: LocalBroker, topic_prefix: str
) -> None:
    """While it is away attempts end in bounded time; afterwards the same sink delivers."""
    end = OtherCluster(private_broker.bootstrap_servers, f"{topic_prefix}theirs")
    await make_topic(end.servers, end.topic)
    async with opened(end.sink()) as sink:
        assert await outcomes(sink, sink_event("a", 1)) == [Outcome.ACCEPTED]
        private_broker.stop()
        assert await outcomes(sink, sink_event("a", 2)) == [Outcome.UNAVAILABLE]
        assert await outcomes(sink, sink_event("a", 2)) == [Outcome.UNAVAILABLE]
        private_broker.start()
        assert await outcomes(sink, sink_event("a", 2)) == [Outcome.ACCEPTED]
    sequences = [orjson.loads(value)["sequence"] for _, value in await end.received()]
    assert list(dict.fromkeys(sequences)) == [1, 2]


@pytest.mark.parametrize(
    ("security", "error"),
    [
        ({"protocol": "SASL_PLAINTEXT"}, SinkUnusable),
        ({"protocol": "SSL", "cafile": "/no/such/file"}, SinkUnusable),
        (
            {
                "protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "username": "u",
                "password": "env:GONE",
            },
            SecretUnavailable,
        ),
    ],
)
async def test_unusable_security_is_told_at_opening(
    security: dict[str, str], error: type[Exception]
) -> None:
    """Before anything is connected to."""
    end = OtherCluster("127.0.0.1:1", "theirs")
    with pytest.raises(error):
        await end.sink(security=security).open()
