"""`python -m processors packages` as a process that is killed under load: nothing is lost."""

import asyncio
import random
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.broker import LocalBroker
from processors.program import Tools
from tests.processors.consume.world import read_all, tools_for
from tests.processors.packages.story import Update
from tests.processors.packages.world import (
    Program,
    events,
    feed,
    make_world,
    numbers,
    raw,
    rounds,
    start,
)


@pytest.fixture
async def tools(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> Tools:
    """For a prefix of this test's own, with its topics."""
    found = tools_for(broker.bootstrap_servers, topic_prefix, tmp_path / "state")
    await make_world(found)
    return found


@pytest.fixture
async def programs() -> AsyncIterator[list[Program]]:
    """Whatever is still alive at the end of a test is killed."""
    alive: list[Program] = []
    yield alive
    for program in alive:
        if program.process.returncode is None:
            await program.kill()


async def published(tools: Tools) -> int:
    """How many events a committed reader finds."""
    return len(await read_all(tools, tools.settings.topics.scan_events))


async def until_published(tools: Tools, count: int) -> None:
    """Waits until so many are committed."""
    async with asyncio.timeout(90):
        while await published(tools) < count:  # noqa: ASYNC110 -- another process has no event
            await asyncio.sleep(0.2)


async def check_each_once(tools: Tools, told: list[Update]) -> None:
    """Every event of every update, with its id, once, in sequence without a gap."""
    stated: dict[str, set[str]] = defaultdict(set)
    for one in told:
        stated[one["tracking_number"]] |= {event["event_id"] for event in one["events"]}
    found = await events(tools)
    by_number: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for event in found:
        by_number[event["tracking_number"]].append((event["sequence"], event["event_id"]))
    assert {number: {one for _, one in seen} for number, seen in by_number.items()} == stated
    for seen in by_number.values():
        assert [sequence for sequence, _ in seen] == list(range(1, len(seen) + 1))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("disk", "kills"), [("kept", 4), ("lost", 2)])
async def test_killed_under_load_and_started_again(
    tools: Tools, programs: list[Program], tmp_path: Path, disk: str, kills: int
) -> None:
    """Killed again and again in the middle: each event is there once, ids and order as ever.

    Ready within 45 s each time, with its disk or without, and it exits 0 on SIGTERM.
    """
    seeded = random.Random(disk)
    told = rounds(numbers(2_500))
    feeding = asyncio.create_task(feed(tools, [raw(one) for one in told]))
    for _ in range(kills):
        program = await start(tools, tmp_path / "state", tmp_path / "log")
        programs.append(program)
        await program.until_ready(45.0)
        await asyncio.sleep(seeded.uniform(0.2, 1.2))
        await program.kill()
        if disk == "lost":
            await asyncio.to_thread(shutil.rmtree, tmp_path / "state")
    await feeding
    last = await start(tools, tmp_path / "state", tmp_path / "log")
    programs.append(last)
    await last.until_ready(45.0)
    await until_published(tools, len(told))
    assert await last.end() == 0
    await check_each_once(tools, told)
    assert "Traceback" not in await asyncio.to_thread((tmp_path / "log").read_text)


@pytest.mark.timeout(300)
async def test_a_second_process_takes_over_from_a_killed_one(
    tools: Tools, programs: list[Program], tmp_path: Path
) -> None:
    """Two processes share a state directory; one is killed; the other does all the rest."""
    told = rounds(numbers(600))
    first = await start(tools, tmp_path / "state", tmp_path / "log")
    programs.append(first)
    await first.until_ready()
    second = await start(tools, tmp_path / "state", tmp_path / "log")
    programs.append(second)
    await second.until_ready()
    half = len(told) // 2
    await feed(tools, [raw(one) for one in told[:half]])
    await first.kill()
    await feed(tools, [raw(one) for one in told[half:]])
    await until_published(tools, len(told))
    assert await second.end() == 0
    await check_each_once(tools, told)
