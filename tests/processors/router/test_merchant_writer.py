"""Merchants' records reach their topics: in order, whole, and only on topics that exist."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from deploy.broker import LocalBroker
from processors.consume.write import BATCH_BYTES
from processors.program import Tools
from processors.router.merchant_writer import MerchantWriter
from processors.router.records import MerchantRecord
from schemas.errors import Interrupted
from schemas.partitions import partition_of
from tests.processors.consume.world import make_topics, read_all, tools_for


@pytest.fixture
def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For the broker that all share."""
    return tools_for(broker.bootstrap_servers, topic_prefix, tmp_path)


@asynccontextmanager
async def writer_of(tools: Tools) -> AsyncIterator[MerchantWriter]:
    """One that is closed in the end."""
    writer = MerchantWriter(tools.kafka)
    try:
        yield writer
    finally:
        await writer.close()


def record(merchant: str, number: int, value: bytes = b"event", key: str = "9") -> MerchantRecord:
    """One event."""
    return MerchantRecord(merchant, key.encode(), value, [("n", b"%d" % number)], number)


async def test_each_record_is_on_its_merchants_topic_in_order(tools: Tools) -> None:
    """On the partition of its key, with its headers, also over several batches."""
    names = tools.settings.topics
    topics = {"acme": 1, "beta": 3}
    for merchant, partitions in topics.items():
        await make_topics(tools, [names.merchant(merchant)], partitions)
    large = b"x" * (BATCH_BYTES // 3)
    records = [
        record(merchant, number, large, f"piece-{number % 4}")
        for number in range(12)
        for merchant in topics
    ]
    async with writer_of(tools) as writer:
        await writer.learn(topics)
        assert not await writer.write(records)
    for merchant, partitions in topics.items():
        found = await read_all(tools, names.merchant(merchant))
        for key in {one.key for one in found}:
            of_piece = [one for one in found if one.key == key]
            numbers = [int(dict(one.headers)["n"]) for one in of_piece]
            assert numbers == [n for n in range(12) if f"piece-{n % 4}".encode() == key]
            assert {one.partition for one in of_piece} == {partition_of(key, partitions)}
        assert len(found) == 12


async def test_a_topic_that_does_not_exist_yet_is_waited_for(tools: Tools) -> None:
    """Nothing is dropped and nothing is created: the batch comes again, then it is there."""
    topic = tools.settings.topics.merchant("late")
    async with writer_of(tools) as writer:
        await writer.learn(["late"])
        for _ in range(2):
            with pytest.raises(Interrupted) as interrupted:
                await writer.write([record("late", 1)])
            assert f"{topic} does not exist; run registry apply" in interrupted.value.detail
        await make_topics(tools, [topic], 1)
        assert not await writer.write([record("late", 1)])
    assert len(await read_all(tools, topic)) == 1


async def test_only_records_that_are_too_large_come_back(tools: Tools) -> None:
    """A merchant's topic may take less than scan-events; the others of the batch are written."""
    topic = tools.settings.topics.merchant("small")
    await make_topics(tools, [topic], 1, {"max.message.bytes": "20000"})
    records = [record("small", number, b"x" * size) for number, size in enumerate([9_000] * 3)]
    records.insert(1, record("small", 9, b"x" * 30_000))
    async with writer_of(tools) as writer:
        refused = None
        while refused is None:  # each attempt knows more of what the topic takes
            with suppress(Interrupted):
                refused = await writer.write(records)
    assert [one.source_offset for one in refused] == [9]
    found = [int(dict(one.headers)["n"]) for one in await read_all(tools, topic)]
    assert set(found) == {0, 1, 2}
    assert found[-3:] == [0, 1, 2]
