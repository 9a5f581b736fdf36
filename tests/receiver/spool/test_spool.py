"""Through the spool: what the broker does not take is kept, answered, and drained in order."""

import asyncio
from pathlib import Path

import orjson
import pytest

from receiver.publishing.publish import NEARLY_READ
from schemas.errors import OperatorError, PublishFailed
from tests.receiver.fakes import counted, eventually
from tests.receiver.spooling import QUARANTINE, TOPIC, SpoolWorld, new_kafka, running, values


@pytest.fixture
def world(tmp_path: Path) -> SpoolWorld:
    """A door with two lanes and an empty spool; not started."""
    return SpoolWorld(new_kafka(), tmp_path / "spool")


def numbered(count: int, start: int = 0) -> list[str]:
    """Values that are told apart."""
    return [f"{number:05}" for number in range(start, start + count)]


async def test_the_straight_way_touches_no_disk(world: SpoolWorld) -> None:
    """With a broker that answers, nothing is ever put into the spool."""
    async with running(world):
        await world.connected()
        await asyncio.gather(*(world.publish(value) for value in numbered(200)))
        assert counted(world.kafka).total() == 200
    assert world.counted("spooled_total") == 0


async def test_a_slow_broker_costs_nothing_but_time(world: SpoolWorld) -> None:
    """What missed its deadline is answered from the disk, and in the topic once."""
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await world.publish("late")
        assert world.waiting == 1
        await world.publish("behind")
        world.kafka.answer()
        await world.drained()
        await world.publish("after")
    assert [record.value for record in world.kafka.written] == [b"late", b"behind", b"after"]


async def test_order_holds_through_both_switches(world: SpoolWorld) -> None:
    """One key's records: straight, through the spool, and straight again, in their order."""
    async with running(world):
        await world.connected()
        await asyncio.gather(*(world.publish(value) for value in numbered(10)))
        world.kafka.answering = False
        await asyncio.gather(*(world.publish(value) for value in numbered(40, 10)))
        await asyncio.gather(*(world.publish(value) for value in numbered(2 * NEARLY_READ, 50)))
        world.kafka.answer()
        late = [world.publish(value) for value in numbered(100, 50 + 2 * NEARLY_READ)]
        await asyncio.gather(*late)
        await world.drained()
        assert values(world.kafka) == numbered(150 + 2 * NEARLY_READ)


async def test_a_lane_comes_back_under_load(world: SpoolWorld) -> None:
    """Load that never pauses does not keep a lane in the spool for ever."""
    sent = iter(numbered(100_000))
    told: list[str] = []

    async def load() -> None:
        while not ending.is_set():
            value = next(sent)
            await world.publish(value)
            told.append(value)

    ending = asyncio.Event()
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        loads = [asyncio.create_task(load()) for _ in range(20)]
        await eventually(lambda: world.waiting > 2 * NEARLY_READ)
        world.kafka.answer()
        await eventually(lambda: not any(lane.unread for lane in world.door.lanes()))
        ending.set()
        await asyncio.gather(*loads)
        await world.drained()
    assert set(told) <= set(values(world.kafka))
    assert values(world.kafka) == sorted(values(world.kafka))


async def test_starts_without_the_broker(world: SpoolWorld, tmp_path: Path) -> None:
    """Where partitions were seen once, records are taken while no broker was reached yet."""
    async with running(world):
        await world.connected()
    world.kafka.reachable = False
    later = SpoolWorld(world.kafka, world.root)
    async with running(later):
        await asyncio.gather(*(later.publish(value) for value in numbered(5)))
        assert later.door.spools
        later.kafka.reachable = True
        await later.drained()
    assert values(world.kafka) == numbered(5)


async def test_refused_before_any_broker_was_ever_seen(world: SpoolWorld) -> None:
    """Without ever having seen the topics nobody can say where a record belongs: 503."""
    world.kafka.reachable = False
    async with running(world):
        with pytest.raises(PublishFailed):
            await world.publish("too early")
        assert not world.door.spools


async def test_a_crash_loses_nothing_that_was_answered(world: SpoolWorld, tmp_path: Path) -> None:
    """The next process drains what the killed one had answered, before anything newer."""
    world.start()
    await world.connected()
    world.kafka.reachable = False
    await asyncio.gather(*(world.publish(value) for value in numbered(50)))
    await world.crash(tmp_path / "after")
    later = SpoolWorld(world.kafka, tmp_path / "after")
    async with running(later):
        newer = [later.publish(value) for value in numbered(50, 50)]
        later.kafka.reachable = True
        await asyncio.gather(*newer)
        await later.drained()
    assert values(world.kafka) == numbered(100)


async def test_a_full_spool_refuses_and_recovers(tmp_path: Path) -> None:
    """Beyond its limit in bytes it refuses; what it has comes out, and then it takes again."""
    world = SpoolWorld(new_kafka(), tmp_path / "spool", max_bytes=20_000)
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        refused = 0
        for value in numbered(40):
            try:
                await world.publish(value)
            except PublishFailed:
                refused += 1
        assert 0 < refused < 40
        assert "is full" in " ".join(world.spool.notes())
        assert world.counted("spool_failures_total", {"reason": "full"}) == 1
        world.kafka.answer()
        await world.drained()
        await world.publish("again")
        assert not world.spool.notes()
    assert len(values(world.kafka)) >= 41 - refused


async def test_quarantine_is_spooled_too(world: SpoolWorld) -> None:
    """Its records wait like all others."""
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await world.publish("set aside", topic=QUARANTINE)
        world.kafka.answer()
        await world.drained()
    assert values(world.kafka, QUARANTINE) == ["set aside"]


async def test_spooled_record_that_is_too_large_goes_to_quarantine(world: SpoolWorld) -> None:
    """What was answered 200 and the topic never takes is in quarantine; the rest flows on."""
    update = {
        "update_id": "0" * 32,
        "subscription_id": "acme",
        "reported_at": "2026-05-14T15:42:09.318Z",
        "received_at": "2026-05-14T15:42:10.000Z",
        "original": "small",
        "filler": "x" * 2000,
    }
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        large = orjson.dumps(update).decode()
        await asyncio.gather(*(world.publish(value) for value in ("before", large, "after")))
        world.kafka.max_bytes = 1000
        world.kafka.answer()
        await world.drained()
    assert values(world.kafka) == ["before", "after"]
    [kept] = [orjson.loads(value) for value in values(world.kafka, QUARANTINE)]
    assert (kept["reason"], kept["accepted"]) == ("record_too_large", True)
    assert kept["update_id"] == update["update_id"]


async def test_what_nothing_takes_stays_on_the_disk(world: SpoolWorld) -> None:
    """A quarantine record that is too large is parked: not lost, and in nobody's way."""
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await asyncio.gather(
            world.publish("y" * 2000, topic=QUARANTINE), world.publish("small", topic=QUARANTINE)
        )
        world.kafka.max_bytes = 1000
        world.kafka.answer()
        await eventually(lambda: world.waiting == 1)
    assert values(world.kafka, QUARANTINE) == ["small"]


async def test_one_stuck_partition_stops_no_other(world: SpoolWorld) -> None:
    """While one lane's batch never comes back, the other lane's spooled records are written."""
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        keys = [f"key {number}" for number in range(20)]
        await asyncio.gather(*(world.publish(key, key) for key in keys))
        world.kafka.stuck = {0}
        world.kafka.answer()
        lanes = {lane.partition.partition: lane for lane in list(world.door.lanes())[:2]}
        await eventually(lambda: not lanes[1].unread)
        assert lanes[0].unread or lanes[0].flying
        world.kafka.stuck = set()
        world.kafka.answer()
        await world.drained()
    assert set(values(world.kafka)) == set(keys)


async def spooled_by_two(world: SpoolWorld) -> None:
    """Twenty records wait by two partitions; then the topics are made anew with three."""
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await asyncio.gather(*(world.publish(value, value) for value in numbered(20)))
    world.kafka.lose()
    world.kafka.partitions = {TOPIC: 3, QUARANTINE: 3}
    world.kafka.answer()


async def test_changed_partitions_are_followed(world: SpoolWorld) -> None:
    """What waits for topics that were made anew is sorted anew, and drained."""
    await spooled_by_two(world)
    async with running(SpoolWorld(world.kafka, world.root)) as later:
        await later.connected()
        await later.drained()
    lanes = {partition.partition for partition, _ in world.kafka.batches}
    assert lanes == {0, 1, 2}
    assert sorted(values(world.kafka)) == numbered(20)


async def test_changed_partitions_after_records_were_taken(world: SpoolWorld) -> None:
    """Records that were taken by the former number end the process; the next one drains them."""
    await spooled_by_two(world)
    world.kafka.reachable = False
    moved = SpoolWorld(world.kafka, world.root)
    moved.start()
    await moved.publish("by two", "by two")
    world.kafka.answer()
    with pytest.raises(OperatorError, match="start it again"):
        await moved.tasks[1]
    await moved.end()
    async with running(SpoolWorld(world.kafka, world.root)) as later:
        await later.connected()
        await later.drained()
    assert sorted(values(world.kafka)) == [*numbered(20), "by two"]


async def test_depth_and_age_are_told(world: SpoolWorld) -> None:
    """Records, bytes, age and totals are metrics."""
    async with running(world):
        await world.connected()
        world.kafka.answering = False
        await asyncio.gather(*(world.publish(value) for value in numbered(10)))
        assert world.waiting == 10
        assert world.counted("spool_bytes") > 10 * 1024
        assert world.counted("spooled_total") == 10
        await eventually(lambda: world.counted("spool_oldest_seconds") > 0)
        world.kafka.answer()
        await world.drained()
        assert world.counted("spool_drained_total") == 10
        assert world.counted("spool_bytes") == world.counted("spool_oldest_seconds") == 0
