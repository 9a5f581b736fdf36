"""Minutes of load while programs are killed at random: `make soak`."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from deploy.broker import LocalBroker
from receiver.simulator.faults import SOME
from tests.system.test_whole_path import assert_right, wanted_of
from tests.system.usps import callbacks, push
from tests.system.world import PROGRAMS, running_world

PACKAGES = 1_200
RATE = 60.0
KILLS = 30
SEED = 20_261_124


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_killed_again_and_again(
    private_broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Thirty kills and one broker restart under load: nothing lost, order kept, ledger balanced."""
    choose = Random(SEED)
    async with running_world(private_broker, topic_prefix, tmp_path) as world:
        stream = callbacks(world.subscribers(), packages=PACKAGES, seed=SEED, faults=SOME)
        pushing = asyncio.create_task(push(stream, world.listener, rate=RATE))
        for kill in range(KILLS):
            await asyncio.sleep(choose.uniform(0.5, 3.0))
            await world.kill_and_restart(choose.choice(sorted(PROGRAMS)))
            if kill == KILLS // 2:
                await asyncio.to_thread(private_broker.kill)
                await asyncio.to_thread(private_broker.start)
        pushed = await pushing
        assert pushed.wrong == []
        wanted = wanted_of(world, pushed)
        assert await world.settled(wanted) == {}
        assert await world.ledger_balanced() == ""
        assert_right(world, wanted)
