"""`sinks` as a process on a real broker, merchants' endpoints, and records as the router writes."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from deploy.broker import LocalBroker, free_port
from deploy.programs import ROOT, Program, Start
from schemas.partitions import partition_of
from schemas.topics import TopicNames
from tests.processors.deliver.fakes import merchant_headers, scan_event

SIGNING_SECRET = "whsec_" + b64encode(b"s" * 32).decode()
PATIENCE_SECONDS = 60.0
PARTITIONS = 2
MIDS = {"acme": "912345678", "beta": "123456"}
Answer = Callable[[dict[str, Any]], Awaitable[web.Response]]


async def accepts(_: dict[str, Any]) -> web.Response:
    """A merchant that accepts everything."""
    return web.Response()


@dataclass
class Endpoint:
    """What one destination was sent, in order, and how it answers."""

    answer: Answer = accepts
    events: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)

    @property
    def event_ids(self) -> set[str]:
        """Everything that came, accepted or not."""
        return set(self.bodies)

    def skipped(self) -> list[tuple[str, int, int]]:
        """Arrivals that ran ahead: beyond the next one of their number that was not seen yet."""
        highest: dict[str, int] = {}
        wrong = []
        for event in self.events:
            number, sequence = event["tracking_number"], event["sequence"]
            if sequence > highest.get(number, 0) + 1:
                wrong.append((number, highest.get(number, 0), sequence))
            highest[number] = max(highest.get(number, 0), sequence)
        return wrong


@dataclass
class Floor:
    """One prefix on the broker, one port of merchants, one `sinks` process at a time."""

    broker: LocalBroker
    names: TopicNames
    directory: Path
    environ: dict[str, str]
    port: int
    partitions: int = 1  # of each merchant's topic
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)

    def endpoint(self, name: str) -> Endpoint:
        """A merchant's endpoint, by the last part of its URL."""
        return self.endpoints.setdefault(name, Endpoint())

    def http(self, destination: str, merchant: str = "acme", **changes: Any) -> dict[str, Any]:
        """A declared http destination that leads to the endpoint of its id."""
        return {
            "id": destination,
            "merchant": merchant,
            "kind": "http",
            "url": f"http://127.0.0.1:{self.port}/{destination}",
            "signing_secrets": ["env:SIGNING"],
            "allow_private_addresses": True,
            "start": "earliest",
            "timeout_seconds": 5,
            **changes,
        }

    async def apply(
        self, *destinations: Mapping[str, Any], mids: Mapping[str, str] | None = None
    ) -> None:
        """Puts a registry with these destinations in force; by default each merchant has a MID."""
        owned = MIDS if mids is None else mids
        registry = {
            "merchants": [
                {
                    "id": one,
                    "name": one,
                    "role": "shipper",
                    "terms_accepted_on": "2026-03-20",
                    "partitions": self.partitions,
                }
                for one in MIDS
            ],
            "mids": [{"mid": mid, "owner": owner} for owner, mid in owned.items()],
            "destinations": list(destinations),
        }
        file = self.directory / "registry.json"
        file.write_text(json.dumps(registry))
        done = await self.command("registry", "apply", str(file))
        assert done.returncode == 0, done.stderr

    async def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs one command to its end."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "processors", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    async def start(self, *arguments: str) -> Program:
        """Starts `sinks` (or the given command) and waits until it is ready."""
        port = free_port(random.SystemRandom())
        started = Start(
            ("processors", *(arguments or ("sinks",))),
            {**self.environ, "SCANWIRE_ADMIN_PORT": str(port)},
            self.directory / f"sinks-{len(self.programs)}.log",
        )
        program = Program(started, f"http://127.0.0.1:{port}/health/ready")
        self.programs.append(program)
        await asyncio.to_thread(program.wait_ready)
        return program

    async def write(self, merchant: str, events: Sequence[Mapping[str, Any] | bytes]) -> None:
        """Appends merchant records, as the router does."""
        topic = self.names.merchant(merchant)
        async with AIOKafkaProducer(
            bootstrap_servers=self.broker.bootstrap_servers, acks="all", max_batch_size=1_000_000
        ) as producer:
            futures = []
            for event in events:
                record: dict[str, Any] = {"value": event, "partition": 0}
                if not isinstance(event, bytes):
                    key = event["tracking_number"].encode()
                    record = {
                        "value": orjson.dumps(event),
                        "key": key,
                        "headers": merchant_headers(event),
                        "partition": partition_of(key, self.partitions),
                    }
                futures.append(await producer.send(topic, **record))
            await asyncio.gather(*futures)

    async def read(self, topic: str) -> list[dict[str, Any]]:
        """Every value of a topic, to its end now, partition by partition."""
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self.broker.bootstrap_servers) as reader:
            reader.assign(partitions)
            await reader.seek_to_beginning(*partitions)
            ends = await reader.end_offsets(partitions)
            found: list[dict[str, Any]] = []
            for partition in partitions:
                while await reader.position(partition) < ends[partition]:
                    fetched = await reader.getmany(partition, timeout_ms=1000)
                    records = [record for some in fetched.values() for record in some]
                    found += [orjson.loads(record.value) for record in records if record.value]
        return found

    async def outcomes(self, destination: str) -> dict[str, str]:
        """The last delivery's outcome by event id."""
        return {
            delivery["event_id"]: delivery["outcome"]
            for delivery in await self.read(self.names.deliveries)
            if delivery["destination"] == destination
        }


async def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Waits for what another process does; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


def ids(events: list[dict[str, Any]]) -> set[str]:
    """Their event ids."""
    return {event["event_id"] for event in events}


def numbered(count: int, each: int = 1, merchant: str = "acme") -> list[dict[str, Any]]:
    """Events of `count` numbers, `each` per number, interleaved."""
    return [
        scan_event(f"92{merchant[:1]}{number:05d}", sequence, mid=MIDS[merchant])
        for sequence in range(1, each + 1)
        for number in range(count)
    ]


@asynccontextmanager
async def opened_floor(broker: LocalBroker, prefix: str, directory: Path) -> AsyncIterator[Floor]:
    """Merchants listen; whatever still runs at the end is killed."""
    port = free_port(random.SystemRandom())
    environ = {
        **{name: value for name, value in os.environ.items() if "SCANWIRE" not in name},
        "SIGNING": SIGNING_SECRET,
        "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "SCANWIRE_TOPIC_PREFIX": prefix,
        "SCANWIRE_TOPIC_PARTITIONS": str(PARTITIONS),
        "SCANWIRE_SINK_RETRY_SECONDS": "0.2,0.4",
        "SCANWIRE_ADMIN_PORT": "0",
    }
    floor = Floor(broker, TopicNames(prefix), directory, environ, port)
    app = web.Application()

    async def receive(request: web.Request) -> web.Response:
        endpoint = floor.endpoint(request.match_info["name"])
        body = await request.read()
        event = orjson.loads(body)["data"]
        endpoint.events.append(event)
        endpoint.times.append(time.monotonic())
        endpoint.bodies.setdefault(request.headers["webhook-id"], set()).add(body)
        return await endpoint.answer(event)

    app.router.add_post("/{name}", receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield floor
    finally:
        for program in floor.programs:
            if program.process.poll() is None:
                await asyncio.to_thread(program.kill)
        await runner.cleanup()
