"""What breaks loses nothing: the broker away, programs killed, a merchant down."""

import asyncio
from pathlib import Path

import pytest

from deploy.broker import LocalBroker
from tests.system.test_whole_path import assert_right, wanted_of
from tests.system.usps import callbacks, push
from tests.system.world import PROGRAMS, running_world

AWAY_SECONDS = 20.0


@pytest.mark.timeout(300)
async def test_broker_away_for_twenty_seconds(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Every callback is accepted at once, and none is lost: the spool keeps them."""
    async with running_world(private_broker, topic_prefix, tmp_path) as world:
        stream = callbacks(world.subscribers(), packages=150, seed=6, faults={})
        pushing = asyncio.create_task(push(stream, world.listener, rate=50))
        await asyncio.sleep(3.0)
        await asyncio.to_thread(private_broker.stop)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(private_broker.start)
        pushed = await pushing
        assert pushed.wrong == []
        assert pushed.again == {}
        wanted = wanted_of(world, pushed)
        assert await world.settled(wanted) == {}
        assert await world.ledger_balanced() == ""
        assert_right(world, wanted)


@pytest.mark.timeout(300)
async def test_each_program_killed_under_load(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Kill -9 of each in turn: nothing lost, order kept, repeats only with equal ids."""
    async with running_world(broker, topic_prefix, tmp_path) as world:
        stream = callbacks(world.subscribers(), packages=150, seed=7, faults={})
        pushing = asyncio.create_task(push(stream, world.listener, rate=60))
        for name in PROGRAMS:
            await asyncio.sleep(1.5)
            await world.kill_and_restart(name)
        pushed = await pushing
        assert pushed.wrong == []
        wanted = wanted_of(world, pushed)
        assert await world.settled(wanted) == {}
        assert await world.ledger_balanced() == ""
        assert_right(world, wanted)


@pytest.mark.timeout(300)
async def test_a_merchant_that_is_down_delays_nobody(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """While one merchant answers 500 the others get everything; it gets its own afterwards."""
    async with running_world(broker, topic_prefix, tmp_path) as world:
        world.merchants.of("acme").status = 500
        stream = callbacks(world.subscribers(), packages=40, seed=8, faults={})
        pushed = await push(stream, world.listener, rate=100)
        wanted = wanted_of(world, pushed)
        others = {name: ids for name, ids in wanted.items() if name != "acme"}
        assert await world.settled(others) == {}
        assert world.merchants.of("acme").event_ids == set()
        world.merchants.of("acme").status = 200
        assert await world.settled(wanted) == {}
        assert await world.ledger_balanced() == ""
        assert_right(world, wanted)
