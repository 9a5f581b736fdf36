"""Packages against a real broker: topics, updates in, events and states out."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer

from deploy.broker import free_port
from processors.commands.packages import packages_loop
from processors.consume import TransactionLoop
from processors.program import Tools
from schemas.event import ScanEvent
from schemas.package import PackageState
from schemas.partitions import partition_of
from schemas.topics import core_topics
from tests.processors.consume.world import make_topics, read_all, tools_for
from tests.processors.packages.story import Update, journey, same_as_model, scan, update

PARTITIONS = 3


async def make_world(tools: Tools, partitions: int = PARTITIONS) -> None:
    """Every core topic as it is made in earnest."""
    for topic in core_topics(tools.settings.topics):
        await make_topics(tools, [topic.name], topic.partitions or partitions, dict(topic.config))


def again(tools: Tools, state_directory: Path) -> Tools:
    """The same program with another disk and metrics of its own."""
    settings = tools.settings
    return tools_for(settings.kafka_bootstrap_servers, settings.topic_prefix, state_directory)


def raw(told: Update) -> tuple[bytes, bytes]:
    """Key and value of an update's record."""
    return told["tracking_number"].encode(), orjson.dumps(told)


async def feed(
    tools: Tools, records: Sequence[tuple[bytes, bytes]], partitions: int = PARTITIONS
) -> None:
    """Writes records as the receiver does: to the partition of their key."""
    producer = AIOKafkaProducer(**tools.kafka.producer())
    await producer.start()
    try:
        topic = tools.settings.topics.tracking_updates
        sent = [
            await producer.send(topic, value, key=key, partition=partition_of(key, partitions))
            for key, value in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def events(tools: Tools) -> list[dict[str, Any]]:
    """All committed scan events, each valid."""
    found = await read_all(tools, tools.settings.topics.scan_events)
    return [same_as_model(ScanEvent, orjson.loads(record.value)) for record in found]


async def states(tools: Tools) -> dict[str, dict[str, Any]]:
    """The last committed state of each number, each valid."""
    found = await read_all(tools, tools.settings.topics.packages)
    return {
        record.key.decode(): same_as_model(PackageState, orjson.loads(record.value))
        for record in found
        if record.value is not None
    }


def numbers(count: int, first: int = 0) -> list[str]:
    """Tracking numbers."""
    return [f"92055{number:017d}" for number in range(first, first + count)]


def rounds(of: Sequence[str]) -> list[Update]:
    """The callbacks of these numbers' journeys, each round repeating all that was before."""
    scans = {
        number: [
            scan(one["event_code"], one["event_local_time"], zip_code=one["zip"], number=number)
            for one in journey()
        ]
        for number in of
    }
    return [
        update(*scans[number][: count + 1], at=f"2026-11-02T00:{count:02d}:00.000Z")
        for count in range(len(journey()))
        for number in of
    ]


@asynccontextmanager
async def running(tools: Tools) -> AsyncIterator[TransactionLoop]:
    """Packages at work in this process."""
    loop = packages_loop(tools)
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        await loop.stop()
        await asyncio.wait_for(task, 30)


def metric(tools: Tools, name: str, **labels: str) -> float:
    """A metric's value, 0 if it never counted."""
    return tools.metrics.get_sample_value(name, labels) or 0.0


@dataclass
class Program:
    """`python -m processors packages` as a process."""

    process: asyncio.subprocess.Process
    admin_port: int

    async def is_ready(self) -> bool:
        """By its admin port."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.admin_port}/health/ready") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def until_ready(self, seconds: float = 45.0) -> None:
        """Waits for readiness as long as is promised."""
        async with asyncio.timeout(seconds):
            while not await self.is_ready():  # noqa: ASYNC110 -- another process has no event
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        self.process.kill()
        await self.process.wait()

    async def end(self) -> int:
        """SIGTERM; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)


async def start(tools: Tools, state_directory: Path, log: Path) -> Program:
    """Starts the program; what it logs goes to the end of a file."""
    settings = tools.settings
    admin_port = free_port(random.SystemRandom())
    environment = os.environ | {
        "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "SCANWIRE_TOPIC_PREFIX": settings.topic_prefix,
        "SCANWIRE_STATE_DIRECTORY": str(state_directory),
        "SCANWIRE_ADMIN_PORT": str(admin_port),
    }
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "processors", "packages", env=environment, stderr=output
        )
    return Program(process, admin_port)
