"""The loop against a real broker: each record once for committed readers, whatever happens."""

import asyncio
from collections import Counter
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker
from processors.program import Tools
from tests.processors.consume.world import (
    Copier,
    make_topics,
    make_world,
    read_all,
    running,
    send,
    tools_for,
    until,
)


@pytest.fixture
def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For a prefix of this test's own."""
    return tools_for(broker.bootstrap_servers, topic_prefix, tmp_path / "state")


def numbered(first: int, last: int, partitions: int = 2) -> list[tuple[int, bytes]]:
    """Records of the numbers, spread over the partitions."""
    return [(number % partitions, b"record %06d" % number) for number in range(first, last)]


async def copied(tools: Tools, copier: Copier) -> Counter[bytes]:
    """What a committed reader finds in the copy, and how often."""
    return Counter(record.value for record in await read_all(tools, copier.copy))


async def test_each_record_is_copied_once_and_in_order(tools: Tools) -> None:
    """What goes in comes out once, in order per partition, and the stage hears of its commit."""
    copier = await make_world(tools)
    given = numbered(0, 3000)
    await send(tools, copier.source, given)
    async with running(copier):
        await until(lambda: copier.kept == len(given), "all copied")
        assert copier.loop.readiness() == []
        assert copier.lags == {0: 0, 1: 0}
    found = await read_all(tools, copier.copy)
    for partition in (0, 1):
        assert [r.value for r in found if r.partition == partition] == [
            value for place, value in given if place == partition
        ]
        stage = copier.stages[partition]
        assert stage.diary[0] == "restore"
        assert stage.diary[-1] == "close"
        last = [r.offset for r in found if r.partition == partition][-1]
        assert stage.last[TopicPartition(copier.copy, partition)] == last


async def test_a_restart_goes_on_where_the_commit_was(tools: Tools) -> None:
    """A second run copies only what came since the first."""
    copier = await make_world(tools)
    await send(tools, copier.source, numbered(0, 100))
    async with running(copier):
        await until(lambda: copier.kept == 100, "first run")
    await send(tools, copier.source, numbered(100, 150))
    again = Copier(tools)
    async with running(again):
        await until(lambda: again.kept == 50, "second run")
    assert set((await copied(tools, copier)).values()) == {1}


async def test_a_failed_batch_is_aborted_and_tried_again(tools: Tools) -> None:
    """A retriable error of the stage makes the loop abort, go back and restore; nothing doubles."""
    copier = await make_world(tools, partitions=1)
    async with running(copier):
        await until(lambda: 0 in copier.stages and not copier.loop.readiness(), "ready")
        copier.stages[0].fail_next = 2
        await send(tools, copier.source, numbered(0, 10, partitions=1))
        await until(lambda: copier.kept == 10, "copied in the end")
    assert copier.aborts == 2
    assert copier.stages[0].diary[:5] == ["restore", "aborted", "restore", "aborted", "restore"]
    assert set((await copied(tools, copier)).values()) == {1}


async def test_a_newer_owner_fences_the_older(tools: Tools) -> None:
    """Who starts the same transactional id later wins: the older writes nothing more as it was.

    It asks the group, which still says the partition is its own, and takes it back.
    """
    copier = await make_world(tools, partitions=1)
    async with running(copier):
        await send(tools, copier.source, numbered(0, 10, partitions=1))
        await until(lambda: copier.kept == 10, "copied")
        transactional_id = tools.settings.topics.transactional_id("copier", copier.source, 0)
        newer = AIOKafkaProducer(**tools.kafka.transactional(transactional_id))
        await newer.start()
        await newer.stop()
        await send(tools, copier.source, numbered(10, 20, partitions=1))
        await until(lambda: copier.aborts == 1, "fenced")
        assert copier.loop.readiness() == ["partition 0 was taken over"]
        await until(lambda: copier.kept == 20, "taken back")
    assert await copied(tools, copier) == Counter(v for _, v in numbered(0, 20, partitions=1))


async def test_a_lost_position_stops_that_partition_alone(tools: Tools) -> None:
    """Records deleted before they were read: that partition names the range, the other works."""
    copier = await make_world(tools)
    await send(tools, copier.source, numbered(0, 10))
    async with running(copier):
        await until(lambda: copier.kept == 10, "copied")
    await send(tools, copier.source, numbered(10, 30))
    await delete_before(tools, TopicPartition(copier.source, 0), 8)
    again = Copier(tools)
    async with running(again):
        await until(lambda: again.kept == 10, "the other partition")
        await until(lambda: len(again.loop.readiness()) == 1, "visible")
        assert "offsets 5 to 7 are no longer there" in again.loop.readiness()[0]
        assert again.stages[0].kept == []
        assert again.lost == {0: 1}


async def delete_before(tools: Tools, place: TopicPartition, offset: int) -> None:
    """As retention does."""
    admin = AIOKafkaAdminClient(**tools.kafka.client())
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def test_missing_topics_are_waited_for(tools: Tools) -> None:
    """Without its topics the loop is not ready, says what to run, and makes none itself."""
    copier = Copier(tools)
    async with running(copier):
        await until(lambda: "topics are missing" in copier.loop.readiness()[0], "told")
        assert "scanwire-processors topics" in copier.loop.readiness()[0]
        names = [copier.source, copier.copy, tools.settings.topics.dead_letters]
        await make_topics(tools, names, 1)
        await until(lambda: copier.loop.readiness() == [], "ready once they are there")


async def test_a_record_too_large_becomes_a_dead_letter(tools: Tools) -> None:
    """What the broker calls too large is set aside; its neighbours pass, in order."""
    copier = Copier(tools)
    await make_topics(tools, [copier.source, tools.settings.topics.dead_letters], 1)
    await make_topics(tools, [copier.copy], 1, {"max.message.bytes": "20000"})
    large = b"large " + b"x" * 30_000
    small = [(0, b"small %03d " % number + b"y" * 3_000) for number in range(40)]
    await send(tools, copier.source, [*small[:20], (0, large), *small[20:]])
    async with running(copier):
        await until(lambda: copier.kept == 41, "all handled")
    found = [record.value for record in await read_all(tools, copier.copy)]
    assert found == [value for _, value in small]
    (letter,) = await read_all(tools, tools.settings.topics.dead_letters)
    told = orjson.loads(letter.value)
    assert (told["reason"], told["destination"], told["offset"]) == (
        "record_too_large",
        "copier",
        20,
    )


async def test_two_processes_share_the_partitions(tools: Tools) -> None:
    """A second process takes some partitions over; nothing is lost or doubled meanwhile."""
    copier = await make_world(tools, partitions=4)
    second = Copier(tools)
    async with running(copier):
        await until(lambda: copier.loop.readiness() == [], "first is ready")
        feeding = asyncio.create_task(feed(tools, copier.source, 4))
        async with running(second):
            await until(lambda: bool(second.stages) and not second.loop.readiness(), "second")
            await feeding
            await send(tools, copier.source, numbered(1000, 2000, 4))
            await until(lambda: copier.kept + second.kept == 2000, "all copied")
    counts = await copied(tools, copier)
    assert (len(counts), set(counts.values())) == (2000, {1})
    assert second.kept >= 500


async def feed(tools: Tools, topic: str, partitions: int) -> None:
    """Ten portions of a hundred records."""
    for first in range(0, 1000, 100):
        await send(tools, topic, numbered(first, first + 100, partitions))


async def test_a_wait_that_nothing_ends_is_ended(tools: Tools) -> None:
    """Work that shows no sign of life is given up, and its partition begun anew."""
    await make_world(tools, partitions=1)
    copier = Copier(tools, stalled_seconds=2.0)
    async with running(copier):
        await until(lambda: 0 in copier.stages and copier.loop.readiness() == [], "ready")
        copier.stages[0].hang = True
        given = numbered(0, 100, partitions=1)
        await send(tools, copier.source, given)
        await until(lambda: copier.kept == len(given), "all copied")
    assert await copied(tools, copier) == Counter(value for _, value in given)
    assert len(copier.all_stages) == 2
