"""Where destinations begin: set by the apply that makes them new, and by no other."""

import pytest
from aiokafka import AIOKafkaConsumer

from processors.registry.groups import GroupInUse, Groups
from schemas.registry.observed import ObservedStart
from tests.processors.consume.world import send
from tests.processors.registry.cluster import BASE, Cluster


def with_destinations(*destinations: str) -> str:
    """Destinations of the object-store kind, each `id merchant start`."""
    lines = "".join(
        f"  - {{id: {one.split()[0]}, merchant: {one.split()[1]}, kind: object_store, "
        f'url: "file:///tmp/{one.split()[0]}", start: {one.split()[2]}}}\n'
        for one in destinations
    )
    return f"{BASE}destinations:\n{lines}"


async def events(cluster: Cluster, merchant: str, count: int) -> None:
    """So many more records on a merchant's topic."""
    topic = cluster.names.merchant(merchant)
    await send(cluster.tools, topic, [(0, b"an event")] * count)


async def test_a_new_destination_begins_at_the_end_or_the_beginning(cluster: Cluster) -> None:
    """In its group, and as an observed start for when the broker forgets the group."""
    await cluster.apply(BASE)
    await events(cluster, "acme", 3)
    applied = await cluster.apply(with_destinations("old acme earliest", "new acme latest"))
    starts = await cluster.starts()
    assert starts.keys() == {"old", "new"} == applied.starts.keys()
    assert ObservedStart.model_validate(starts["new"]).offsets == {"0": 3}
    assert ObservedStart.model_validate(starts["old"]).offsets == {"0": 0}
    assert starts["new"]["topic"] == cluster.names.merchant("acme")
    assert await cluster.position("new", "acme") == 3
    assert await cluster.position("old", "acme") == 0


async def test_a_destination_that_changes_keeps_its_start(cluster: Cluster) -> None:
    """Only its declaration is new; what waits for it is not jumped over."""
    await cluster.apply(with_destinations("d acme latest"))
    await events(cluster, "acme", 3)
    changed = with_destinations("d acme latest").replace("file:///tmp/d", "file:///tmp/e")
    applied = await cluster.apply(changed)
    assert applied.plan.changes
    assert not applied.starts
    assert await cluster.position("d", "acme") == 0


async def test_a_destination_of_another_merchant_begins_on_that_ones_topic(
    cluster: Cluster,
) -> None:
    """Its old position means nothing there."""
    await cluster.apply(with_destinations("d acme latest"))
    await events(cluster, "beta", 2)
    await cluster.apply(with_destinations("d beta latest"))
    assert (await cluster.starts())["d"]["topic"] == cluster.names.merchant("beta")
    assert await cluster.position("d", "beta") == 2


async def test_a_removed_destination_leaves_neither_group_nor_start(cluster: Cluster) -> None:
    """And one of the same name that comes later begins anew."""
    await cluster.apply(with_destinations("d acme latest", "e acme latest"))
    applied = await cluster.apply(with_destinations("e acme latest"))
    assert applied.groups_deleted == [cluster.names.sink_group("d")]
    assert (await cluster.starts()).keys() == {"e"}
    assert cluster.names.sink_group("d") not in await cluster.groups()
    await events(cluster, "acme", 2)
    await cluster.apply(with_destinations("d acme latest", "e acme latest"))
    assert await cluster.position("d", "acme") == 2
    assert await cluster.position("e", "acme") == 0


async def test_a_group_that_a_crash_left_is_deleted_by_the_next_apply(cluster: Cluster) -> None:
    """Also by one that changes nothing."""
    await cluster.apply(BASE)
    left = cluster.names.sink_group("left")
    async with Groups(cluster.tools.kafka) as groups:
        await groups.begin_at(left, cluster.names.merchant("acme"), {0: 0})
    assert left in await cluster.groups()
    applied = await cluster.apply(BASE)
    assert applied.groups_deleted == [left]
    assert left not in await cluster.groups()


async def test_a_group_with_a_reader_is_neither_moved_nor_deleted(cluster: Cluster) -> None:
    """A program still reads there: it would lose its place."""
    await cluster.apply(with_destinations("d acme latest"))
    topic, group = cluster.names.merchant("acme"), cluster.names.sink_group("d")
    async with AIOKafkaConsumer(topic, **cluster.tools.kafka.reader(group)) as member:
        await member.getmany(timeout_ms=100)
        async with Groups(cluster.tools.kafka) as groups:
            with pytest.raises(GroupInUse):
                await groups.begin_at(group, topic, {0: 7}, seconds=0.1)
            with pytest.raises(GroupInUse):
                await groups.delete(group, seconds=0.1)
    assert await cluster.position("d", "acme") == 0
