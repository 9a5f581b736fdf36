"""Catching up with the topic of states, against a real broker."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker
from processors.packages.restore import Restorer
from processors.packages.store import Mark, StateStore, fingerprint
from processors.program import Tools
from tests.processors.consume.world import make_topics, tools_for


@pytest.fixture
def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For a prefix of this test's own."""
    return tools_for(broker.bootstrap_servers, topic_prefix, tmp_path / "state")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StateStore]:
    """An empty one."""
    found = StateStore(tmp_path / "store")
    found.open()
    yield found
    await found.close()


async def topic(tools: Tools, name: str = "packages.v1") -> TopicPartition:
    """A compacted topic of one partition."""
    full = f"{tools.settings.topic_prefix}{name}"
    await make_topics(tools, [full], 1, {"cleanup.policy": "compact"})
    return TopicPartition(full, 0)


async def write(
    tools: Tools,
    place: TopicPartition,
    records: Sequence[tuple[bytes, bytes | None]],
    *,
    commit: bool = True,
) -> int:
    """Writes states in one transaction; returns the offset of the last."""
    producer = AIOKafkaProducer(**tools.kafka.transactional(f"{place.topic}-test"))
    await producer.start()
    try:
        await producer.begin_transaction()
        sent = [
            await producer.send_and_wait(place.topic, value, key=key, partition=0)
            for key, value in records
        ]
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()
    offset: int = sent[-1].offset
    return offset


async def restored(tools: Tools, place: TopicPartition, store: StateStore) -> int:
    """Catches up and says how many records it took."""
    counts: list[int] = []
    await Restorer(tools.kafka, place, store, counts.append).restore()
    return counts[0]


def states(store: StateStore, *keys: bytes) -> list[bytes | None]:
    """What the store has of these."""
    found = [store.get(key) for key in keys]
    return [None if one is None else bytes(one) for one in found]


async def test_an_empty_store_reads_everything(tools: Tools, store: StateStore) -> None:
    """The newest state of each key; what was given up is gone; what was aborted never was."""
    place = await topic(tools)
    await write(tools, place, [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
    await write(tools, place, [(b"a", b"bad")], commit=False)
    await write(tools, place, [(b"b", b"4"), (b"c", None)])
    assert await restored(tools, place, store) == 5
    assert states(store, b"a", b"b", b"c") == [b"1", b"4", None]


async def test_an_empty_topic_is_at_its_end(tools: Tools, store: StateStore) -> None:
    """The first start of all."""
    assert await restored(tools, await topic(tools), store) == 0


async def test_a_store_reads_only_what_it_lacks(tools: Tools, store: StateStore) -> None:
    """From the record it had last, which it looks at again."""
    place = await topic(tools)
    await write(tools, place, [(b"a", b"1"), (b"b", b"2")])
    await restored(tools, place, store)
    assert await restored(tools, place, store) <= 1
    await write(tools, place, [(b"c", b"3")])
    assert await restored(tools, place, store) == 2
    assert states(store, b"a", b"b", b"c") == [b"1", b"2", b"3"]


async def test_a_store_behind_a_crash_catches_up(tools: Tools, store: StateStore) -> None:
    """Committed to Kafka, not yet written to disk: the topic has it."""
    place = await topic(tools)
    last = await write(tools, place, [(b"a", b"1")])
    store.take({b"a": (0, b"1")}, Mark(last + 1, last, fingerprint(b"a", b"1")))
    await store.write()
    await write(tools, place, [(b"a", b"2"), (b"b", b"3")])
    await restored(tools, place, store)
    assert states(store, b"a", b"b") == [b"2", b"3"]


async def test_a_store_beyond_the_topic_s_end_is_rebuilt(tools: Tools, store: StateStore) -> None:
    """The topic was made anew and is shorter."""
    place = await topic(tools)
    await write(tools, place, [(b"a", b"1")])
    store.take({b"a": (0, b"old"), b"z": (0, b"foreign")}, Mark(500, 499, 1))
    await store.write()
    await restored(tools, place, store)
    assert states(store, b"a", b"z") == [b"1", None]


async def test_a_store_of_another_topic_is_rebuilt(tools: Tools, store: StateStore) -> None:
    """The topic was made anew and is longer: where the mark is stands another record."""
    first, second = await topic(tools, "first"), await topic(tools, "second")
    await write(tools, first, [(b"a", b"1"), (b"z", b"foreign")])
    await restored(tools, first, store)
    await write(tools, second, [(b"a", b"2"), (b"b", b"3"), (b"c", b"4")])
    await restored(tools, second, store)
    assert states(store, b"a", b"b", b"c", b"z") == [b"2", b"3", b"4", None]
