"""The router as a process on a real broker: ready when it may be, live, and safe to kill."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import orjson
import pytest

from deploy.broker import LocalBroker, free_port
from deploy.programs import Program, Start, fetch
from processors.administration import administration
from processors.topics import ensure_topics
from schemas.event import ScanEvent
from schemas.partitions import partition_of
from schemas.records import DeadLetter, Decision, Withheld
from schemas.topics import core_topics
from tests.processors.consume.world import read_all, send
from tests.processors.registry.cluster import BASE, Cluster
from tests.processors.router.events import evidence, scan_event

PARTITIONS = 2


class RouterWorld(Cluster):
    """A cluster, and the router as a process."""

    def __init__(self, bootstrap_servers: str, prefix: str, directory: Path) -> None:
        super().__init__(bootstrap_servers, prefix, directory)
        port = free_port(random.SystemRandom())
        environ = {
            "PATH": os.environ["PATH"],
            "SCANWIRE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "SCANWIRE_TOPIC_PREFIX": prefix,
            "SCANWIRE_STATE_DIRECTORY": str(directory / "state"),
            "SCANWIRE_ADMIN_PORT": str(port),
        }
        self.ready_url = f"http://127.0.0.1:{port}/health/ready"
        self._start = Start(("processors", "router"), environ, directory / "router.log")

    def program(self) -> Program:
        """Started, not ready yet."""
        return Program(self._start, self.ready_url)

    async def publish(self, events: list[dict[str, Any]] | list[bytes]) -> None:
        """As packages would: by the piece's partition."""
        records = []
        for event in events:
            raw = event if isinstance(event, bytes) else orjson.dumps(event)
            key = b"" if isinstance(event, bytes) else event["tracking_number"].encode()
            records.append((partition_of(key, PARTITIONS), raw))
        await send(self.tools, self.names.scan_events, records)

    async def until(self, topic: str, count: int, seconds: float = 60.0) -> list[Any]:
        """The topic's records, once there are at least so many."""
        async with asyncio.timeout(seconds):
            while len(found := await read_all(self.tools, topic)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return found


@pytest.fixture
def world(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> RouterWorld:
    """A prefix of its own."""
    return RouterWorld(broker.bootstrap_servers, topic_prefix, tmp_path)


def pieces(count: int, mid: str = "912345678") -> list[dict[str, Any]]:
    """Events of many pieces, five each."""
    return [
        scan_event(
            evidence(mid=mid), number=f"92055{mid}{number // 5:08d}", sequence=number % 5 + 1
        )
        for number in range(count)
    ]


def reasons(url: str) -> list[str]:
    """Why it is not ready; empty: it is."""
    try:
        fetch(url)
    except HTTPError as error:
        with error:
            return [str(reason) for reason in orjson.loads(error.read())["reasons"]]
    return []


async def until_told(url: str, told: str) -> None:
    """Waits until it gives this reason."""
    async with asyncio.timeout(60):
        while True:
            with suppress(URLError):
                found = await asyncio.to_thread(reasons, url)
                if any(told in reason for reason in found):
                    return
            await asyncio.sleep(0.1)


async def test_nothing_is_read_before_the_first_revision(world: RouterWorld) -> None:
    """Not ready, with what to do; then, without a restart, everything from the beginning."""
    with closing_program(world.program()) as router:
        await until_told(world.ready_url, "topics are missing")
        async with administration(world.tools.kafka) as admin:
            await ensure_topics(admin, core_topics(world.names), world.tools.settings)
        await world.publish(pieces(10))
        await until_told(world.ready_url, "no registry was applied yet; run")
        await world.apply(BASE)
        await asyncio.to_thread(router.wait_ready)
        await world.until(world.names.merchant("acme"), 10)
        assert len(await world.until(world.names.decisions, 10)) == 10
        assert router.end() == 0


async def test_an_apply_is_obeyed_while_it_runs(world: RouterWorld) -> None:
    """A MID that is new is judged by its owner's rights, within two seconds of the apply."""
    await world.apply(BASE)
    with closing_program(world.program()) as router:
        await asyncio.to_thread(router.wait_ready)
        await world.publish(pieces(5, "123456"))
        withheld = await world.until(world.names.withheld, 5)
        assert {orjson.loads(one.value)["reason"] for one in withheld} == {"unknown_mid"}
        await world.apply(BASE + '  - {mid: "123456", owner: beta}\n')
        async with asyncio.timeout(2):
            await metric_reaches(router, "usps_registry_revision", 2)
        await world.publish([scan_event(evidence(mid="123456"), number="another")])
        withheld = [orjson.loads(one.value) for one in await world.until(world.names.withheld, 6)]
        told = [one["reason"] for one in withheld if one["merchant"] == "beta"]
        assert told == ["terms_not_accepted"]


async def test_each_record_is_valid_and_stands_where_it_should(world: RouterWorld) -> None:
    """Merchant records, decisions, withheld ones and dead letters, by their models."""
    await world.apply(BASE + '  - {mid: "123456", owner: beta}\n')
    with closing_program(world.program()) as router:
        await asyncio.to_thread(router.wait_ready)
        await world.publish(pieces(20) + pieces(10, "123456") + pieces(5, "654321"))
        await world.publish([b"no event"])
        decisions = await world.until(world.names.decisions, 35)
        letters = await world.until(world.names.dead_letters, 1)
        withheld = await world.until(world.names.withheld, 15)
    sources = {
        record.key: record.partition
        for record in await read_all(world.tools, world.names.scan_events)
    }
    for one in decisions:
        Decision.model_validate(orjson.loads(one.value))
        assert one.partition == partition_of(one.key, PARTITIONS)
    for one in withheld:
        Withheld.model_validate(orjson.loads(one.value))
        assert one.partition == partition_of(one.key, PARTITIONS)
    assert sources
    assert DeadLetter.model_validate(orjson.loads(letters[0].value)).destination == "router"
    merchants = await read_all(world.tools, world.names.merchant("acme"))
    for one in merchants:
        event = ScanEvent.model_validate(orjson.loads(one.value))
        assert event.evidence is None
        assert event.piece_evidence is None
    assert not await read_all(world.tools, world.names.merchant("beta"))


async def test_killed_again_and_again_it_loses_nothing(world: RouterWorld) -> None:
    """No merchant event is missing, repeats have equal ids, each event has one decision."""
    await world.apply(BASE)
    events, router = pieces(9_000), world.program()
    with closing_program(router):
        for first in range(0, 9_000, 3_000):
            await asyncio.to_thread(router.wait_ready, 45.0)
            await world.publish(events[first : first + 3_000])
            await metric_reaches(router, "usps_router_events_total", 1)
            router.kill()  # some batches are committed, one is under way, others not begun
            router.restart()
        await asyncio.to_thread(router.wait_ready, 45.0)
        decisions = await world.until(world.names.decisions, 9_000)
    decided = Counter(orjson.loads(one.value)["event_id"] for one in decisions)
    wanted = {event["event_id"] for event in events}
    assert decided == dict.fromkeys(wanted, 1)
    first_seen: dict[str, list[int]] = {}
    known: set[str] = set()
    for record in await read_all(world.tools, world.names.merchant("acme")):
        event = orjson.loads(record.value)
        if event["event_id"] not in known:
            known.add(event["event_id"])
            first_seen.setdefault(event["tracking_number"], []).append(event["sequence"])
    assert known == wanted
    assert all(sequences == [1, 2, 3, 4, 5] for sequences in first_seen.values())


async def metric_reaches(program: Program, name: str, value: float) -> None:
    """Waits for it."""
    async with asyncio.timeout(60):
        while await asyncio.to_thread(program.metric, name) < value:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextmanager
def closing_program(program: Program) -> Iterator[Program]:
    """Ended in the end, however the test ends."""
    try:
        yield program
    finally:
        if program.process.poll() is None:
            assert program.end() == 0
