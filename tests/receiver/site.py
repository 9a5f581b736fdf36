"""A real receiver process before a real Kafka, with an applied registry."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, Self

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from deploy.broker import LocalBroker, free_port
from deploy.programs import ROOT, Program, Start
from schemas.topics import TopicNames
from tests.receiver.world import SECRET, SUBSCRIPTION_ID

REGISTRY = """
merchants: [{id: acme, name: Acme, role: shipper, terms_accepted_on: 2026-03-20}]
mids: [{mid: "998877665", owner: acme}]
subscriptions:
"""
SUBSCRIPTION = '  - {{id: {id}, name: {name}, mid: "998877665", secrets: ["file:{file}"]}}\n'


class Reply(NamedTuple):
    """An answer and how long it took, in seconds."""

    status: int
    json: Any
    seconds: float


class Site:
    """One receiver and its surroundings, to be used as `async with`."""

    def __init__(self, broker: LocalBroker, prefix: str, directory: Path) -> None:
        choose = random.SystemRandom()
        self.names = TopicNames(prefix)
        self.broker = broker
        self.port, self.admin_port = free_port(choose), free_port(choose)
        self.secret_file = directory / "secret"
        self.secret_file.write_bytes(SECRET)
        self.registry_file = directory / "registry.yaml"
        self.registry_file.write_text(REGISTRY)
        self.declare(SUBSCRIPTION_ID, "acme-webhook")
        self.log = directory / "receiver.log"
        self.environ = {
            **{name: value for name, value in os.environ.items() if "SCANWIRE" not in name},
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SCANWIRE_TOPIC_PREFIX": prefix,
            "SCANWIRE_RECEIVER_PORT": str(self.port),
            "SCANWIRE_ADMIN_PORT": str(self.admin_port),
            "SCANWIRE_STATE_DIRECTORY": str(directory / "state"),
            "SCANWIRE_SPOOL_DIRECTORY": str(directory / "spool"),
        }
        self.url = f"http://127.0.0.1:{self.port}/usps/tracking"
        self.admin = f"http://127.0.0.1:{self.admin_port}"

    def declare(self, subscription_id: str, name: str) -> None:
        """One more subscription in the registry file; its secret is in the one file."""
        with self.registry_file.open("a") as registry:
            line = SUBSCRIPTION.format(id=subscription_id, name=name, file=self.secret_file)
            registry.write(line)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
        )

    def apply(self) -> None:
        """Topics and registry."""
        done = self.command("processors", "registry", "apply", str(self.registry_file))
        assert done.returncode == 0, done.stderr

    def start(self) -> Program:
        """The receiver, not ready yet."""
        start = Start(["receiver", "serve"], self.environ, self.log)
        return Program(start, f"{self.admin}/health/ready")

    async def __aenter__(self) -> Self:
        """An applied registry and a ready receiver."""
        await asyncio.to_thread(self.apply)
        await self.begin()
        await asyncio.to_thread(self.program.wait_ready)
        return self

    async def begin(self) -> None:
        """The receiver's process, whatever surrounds it."""
        self.program = self.start()
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30))

    async def __aexit__(self, *_: object) -> None:
        """Ended, whatever happened; told to end, it ends well."""
        await self.http.close()
        if self.program.process.poll() is None:
            assert await asyncio.to_thread(self.program.end) == 0

    async def post(self, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Reply:
        """One request to the listener."""
        named = {name.decode(): value.decode() for name, value in headers}
        began = monotonic()
        async with self.http.post(self.url, data=body, headers=named) as answer:
            return Reply(answer.status, await answer.json(), monotonic() - began)

    async def ready(self) -> tuple[bool, list[str]]:
        """What the admin port says."""
        async with self.http.get(f"{self.admin}/health/ready") as answer:
            told = await answer.json()
            assert (answer.status == 200) == told["ready"]
            return told["ready"], told["reasons"]

    async def until_ready(self, wanted: bool) -> None:
        """Waits for readiness, or for its end."""

        async def as_wanted() -> bool:
            return (await self.ready())[0] == wanted

        await until(as_wanted)

    async def records(self, topic: str) -> list[ConsumerRecord]:
        """All that is in a topic."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap_servers, auto_offset_reset="earliest"
        )
        await reader.start()
        try:
            counts = await reader._client._wait_on_metadata(topic)
            partitions = [TopicPartition(topic, number) for number in counts]
            reader.assign(partitions)
            await reader.seek_to_beginning(*partitions)
            ends = await reader.end_offsets(partitions)
            found: list[ConsumerRecord] = []
            while len(found) < sum(ends.values()):
                for records in (await reader.getmany(timeout_ms=500)).values():
                    found += records
            return found
        finally:
            await reader.stop()

    async def updates(self) -> list[dict[str, Any]]:
        """The values in tracking-updates."""
        records = await self.records(self.names.tracking_updates)
        return [orjson.loads(record.value) for record in records]

    async def quarantined(self) -> list[dict[str, Any]]:
        """The values in quarantine."""
        records = await self.records(self.names.quarantine)
        return [orjson.loads(record.value) for record in records]


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Asks again and again; another process tells no event. Fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 -- see above
            await asyncio.sleep(0.05)
