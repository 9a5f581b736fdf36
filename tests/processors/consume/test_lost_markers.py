"""A commit whose markers the broker skipped: the next owner finishes it, and nothing is doubled.

The broker of this test does not check which partitions a transaction told it of, so a producer
can write where the coordinator will set no marker: what Kafka 4.3 does by itself when it goes
away in the middle of a commit.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker, free_port
from deploy.broker.local_broker import BrokerOptions
from processors.log_ends import written_ends
from processors.program import Tools
from tests.processors.consume.world import (
    Copier,
    make_world,
    read_all,
    running,
    send,
    tools_for,
    until,
)

UNCHECKED = {"transaction.partition.verification.enable": "false"}
GROUP = "copier"


@pytest.fixture
def tools(topic_prefix: str, tmp_path: Path) -> Iterator[Tools]:
    """For a broker of this test's own."""
    choose = random.SystemRandom()
    options = BrokerOptions(properties=UNCHECKED)
    with LocalBroker(tmp_path / "broker", free_port(choose), free_port(choose), options) as broker:
        yield tools_for(broker.bootstrap_servers, topic_prefix, tmp_path / "state")


async def commit_without_markers(
    tools: Tools, copier: Copier, values: list[bytes], offset: int
) -> None:
    """What the owner of partition 0 did last: copies and position, of which no marker stands."""
    names = tools.settings.topics
    transactional_id = names.transactional_id(GROUP, copier.source, 0)
    producer = AIOKafkaProducer(**tools.kafka.transactional(transactional_id))
    await producer.start()
    try:
        await producer.begin_transaction()
        # The coordinator hears of this partition only, and sets its marker here.
        await producer.send_and_wait(names.dead_letters, b"told", partition=0)
        producer._txn_manager._txn_partitions.add(TopicPartition(copier.copy, 0))
        producer._txn_manager._txn_consumer_group = names.group(GROUP)
        for value in values:
            await producer.send_and_wait(copier.copy, value, partition=0)
        await producer.send_offsets_to_transaction(
            {TopicPartition(copier.source, 0): offset}, names.group(GROUP)
        )
        await producer.commit_transaction()
    finally:
        await producer.stop()


async def readable_end(tools: Tools, place: TopicPartition) -> int:
    """Where readers of what is committed come to an end."""
    async with AIOKafkaConsumer(**tools.kafka.reader()) as reader:
        end: int = (await reader.end_offsets([place]))[place]
        return end


async def test_a_commit_that_lost_its_markers_is_finished(tools: Tools) -> None:
    """Its records become readable, its position counts: each record is copied once."""
    copier = await make_world(tools, partitions=1)
    values = [b"record %d" % number for number in range(6)]
    await send(tools, copier.source, [(0, value) for value in values[:3]])
    async with running(copier):
        await until(lambda: copier.kept == 3, "the first half")
    await send(tools, copier.source, [(0, value) for value in values[3:]])
    await commit_without_markers(tools, copier, values[3:5], offset=5)
    place = TopicPartition(copier.copy, 0)
    assert await readable_end(tools, place) < (await written_ends(tools.kafka, [place]))[place]
    successor = Copier(tools)
    async with running(successor):
        await until(lambda: successor.kept == 1, "the last one")
    assert successor.kept == 1
    assert [record.value for record in await read_all(tools, copier.copy)] == values
