"""The loop while its broker is away: it goes on by itself when the broker is back."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from deploy.broker import LocalBroker
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

# Longer than a transaction's time-out and a member's session (15 s each).
OUTAGE_SECONDS = 20.0


@pytest.fixture
def tools(private_broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For a broker of this test's own."""
    return tools_for(private_broker.bootstrap_servers, topic_prefix, tmp_path / "state")


def numbered(first: int, last: int) -> list[tuple[int, bytes]]:
    """Records of the numbers on two partitions."""
    return [(number % 2, b"record %06d" % number) for number in range(first, last)]


async def until_all_once(tools: Tools, copier: Copier, last: int) -> None:
    """Waits until a committed reader finds every number, and finds each once."""
    wanted = Counter(value for _, value in numbered(0, last))
    async with asyncio.timeout(90):
        found: Counter[bytes] = Counter()
        while found.total() < wanted.total():
            found = Counter(record.value for record in await read_all(tools, copier.copy))
    assert found == wanted


@pytest.mark.timeout(300)
async def test_a_killed_broker_that_returns_is_survived(
    tools: Tools, private_broker: LocalBroker
) -> None:
    """Twenty seconds without a broker in the middle of the work: nothing is lost or doubled."""
    copier = await make_world(tools)
    await send(tools, copier.source, numbered(0, 20_000))
    async with running(copier) as task:
        await until(lambda: copier.kept > 2000, "in the middle of it")
        await asyncio.to_thread(private_broker.kill)
        await asyncio.sleep(OUTAGE_SECONDS)
        assert not task.done()
        assert copier.loop.readiness() != []
        await asyncio.to_thread(private_broker.start)
        await until(lambda: copier.loop.readiness() == [], "ready again", 60)
        await send(tools, copier.source, numbered(20_000, 20_100))
        await until(lambda: copier.lags == {0: 0, 1: 0} and copier.kept > 2100, "caught up", 60)
        await until_all_once(tools, copier, 20_100)


@pytest.mark.timeout(300)
async def test_a_frozen_broker_that_thaws_is_survived(
    tools: Tools, private_broker: LocalBroker
) -> None:
    """Connections that stay open and say nothing for twenty seconds are survived as well."""
    copier = await make_world(tools)
    await send(tools, copier.source, numbered(0, 20_000))
    async with running(copier):
        await until(lambda: copier.kept > 2000, "in the middle of it")
        private_broker.freeze()
        await asyncio.sleep(OUTAGE_SECONDS)
        private_broker.thaw()
        await until_all_once(tools, copier, 20_000)


@pytest.mark.timeout(300)
async def test_stop_does_not_wait_for_a_broker_that_is_away(
    tools: Tools, private_broker: LocalBroker
) -> None:
    """SIGTERM while the broker is gone ends the program within seconds."""
    copier = await make_world(tools)
    await send(tools, copier.source, numbered(0, 20_000))
    async with running(copier):
        await until(lambda: copier.kept > 2000, "in the middle of it")
        await asyncio.to_thread(private_broker.kill)
        await asyncio.sleep(1.0)
