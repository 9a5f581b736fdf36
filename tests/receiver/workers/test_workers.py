"""A receiver of two workers as operators run it: real processes, a real Kafka, real faults."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import aiohttp
import orjson
import psutil
import pytest

from deploy.broker import LocalBroker
from tests.receiver.fakes import eventually
from tests.receiver.site import Reply, Site, until
from tests.receiver.world import PAYLOAD, callback

CALLBACKS = "usps_receiver_callbacks_total"
HANDED = "usps_receiver_worker_connections_total"
# What grows when 300 callbacks are accepted and one is refused, and by how much.
COUNTED: list[tuple[str, dict[str, str], float | None]] = [
    (HANDED, {"worker": "0"}, None),
    (HANDED, {"worker": "1"}, None),
    (CALLBACKS, {"outcome": "accepted"}, 300),
    (CALLBACKS, {"outcome": "signature_mismatch"}, 1),
    ("usps_receiver_events_total", {}, 300),
    ("usps_receiver_callback_seconds_count", {}, 301),
    ("usps_receiver_callback_seconds_bucket", {"le": "+Inf"}, 301),
]


class Workers(Site):
    """A receiver with two of them."""

    def __init__(self, broker: LocalBroker, prefix: str, directory: Path) -> None:
        super().__init__(broker, prefix, directory)
        self.environ["SCANWIRE_RECEIVER_WORKERS"] = "2"
        self.accepted: set[str] = set()

    def told(self, event: str) -> list[dict[str, object]]:
        """The log lines of an event."""
        lines = [orjson.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def pid(self, worker: int) -> int:
        """Of the process that was started last in its place."""
        pids = [line["pid"] for line in self.told("worker_started") if line["worker"] == worker]
        assert isinstance(pids[-1], int)
        return pids[-1]

    async def accept(self, number: str) -> Reply:
        """One callback for this number; its 200 is remembered."""
        reply = await self.post(*callback({**PAYLOAD, "trackingNumber": number}))
        if reply.status == 200:
            self.accepted.add(number)
        return reply

    async def metric(self, name: str, **labels: str) -> float:
        """As one scrape of the parent has it."""
        return await asyncio.to_thread(self.program.metric, name, **labels)

    async def has_reason(self, wanted: str) -> bool:
        """Whether it is not ready for this reason."""
        return any(wanted in reason for reason in (await self.ready())[1])

    async def accept_on_fresh_connections(self, numbers: Sequence[str]) -> set[int]:
        """The answers' codes; a connection each, and none may be refused or lost."""
        alone = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=alone) as fresh:

            async def accept(number: str) -> int:
                body, headers = callback({**PAYLOAD, "trackingNumber": number})
                named = {name.decode(): value.decode() for name, value in headers}
                async with fresh.post(self.url, data=body, headers=named) as answer:
                    self.accepted.add(number)
                    return answer.status

            return set(await asyncio.gather(*map(accept, numbers)))

    async def accepts_more(self, count: int) -> None:
        """Until so many more were answered 200."""
        before = len(self.accepted)
        await eventually(lambda: len(self.accepted) > before + count, 30)

    async def is_ready(self) -> bool:
        """Whether all workers are."""
        return (await self.ready())[0]

    async def missing(self) -> set[str]:
        """Numbers that were answered 200 and are not in the topic."""
        return self.accepted - {update["tracking_number"] for update in await self.updates()}


@pytest.fixture(scope="module")
def shared(broker: LocalBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """One for all tests here, so that each need not start it anew."""
    prefix = f"test-{uuid4().hex[:12]}."
    one = Workers(broker, prefix, tmp_path_factory.mktemp("workers"))
    one.apply()
    with one.start() as one.program:
        yield one
    assert "Traceback" not in one.log.read_text()


@pytest.fixture
async def site(shared: Workers) -> AsyncIterator[Workers]:
    """Ready, with both workers, whatever the last test did to it; tests count from here."""
    if shared.program.process.poll() is not None:
        shared.program.restart()
    await asyncio.to_thread(shared.program.wait_ready)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as shared.http:
        yield shared


@asynccontextmanager
async def load(site: Workers) -> AsyncIterator[None]:
    """Callbacks on twelve connections; whoever loses its connection makes another."""
    ending = asyncio.Event()

    async def push(client: int) -> None:
        sent = 0
        while not ending.is_set():
            sent += 1
            with suppress(aiohttp.ClientError):
                assert (await site.accept(f"LOAD-{client}-{sent}")).status == 200

    clients = [asyncio.create_task(push(client)) for client in range(12)]
    try:
        yield
    finally:
        ending.set()
        await asyncio.gather(*clients)


async def test_connections_are_spread_and_all_is_counted(site: Workers) -> None:
    """Both workers get as many connections, and the one exposition says what was sent."""
    before = [await site.metric(name, **labels) for name, labels, _ in COUNTED]
    for part in range(3):
        posts = [site.accept(f"SPREAD-{part}-{number}") for number in range(100)]
        assert {reply.status for reply in await asyncio.gather(*posts)} == {200}
    wrong = callback(secret=b"another-secret-0123456789abcdefg")
    assert (await site.post(*wrong)).status == 401
    after = [await site.metric(name, **labels) for name, labels, _ in COUNTED]
    grown = [then - first for first, then in zip(before, after, strict=True)]
    handed = grown[:2]
    assert min(handed) >= 0.4 * sum(handed)
    assert grown[2:] == [number for _, _, number in COUNTED[2:]]
    assert await site.metric("usps_receiver_worker_up") == 2
    assert await site.metric("usps_registry_revision") == 1
    assert await site.metric("usps_receiver_broker_available") == 1
    assert (await site.quarantined())[-1]["remote_address"] == "127.0.0.1"
    assert await site.missing() == set()


async def test_killed_worker_is_replaced_under_load(site: Workers) -> None:
    """The other goes on, readiness names it until it is back, and no count falls."""
    restarts = await site.metric("usps_receiver_worker_restarts_total", worker="1")
    async with load(site):
        await eventually(lambda: len(site.accepted) > 50, 30)
        counted = [await site.metric(CALLBACKS)]
        killed = site.pid(1)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: site.has_reason("worker 1: "))
        await site.accepts_more(20)
        numbers = [f"MEANWHILE-{number}" for number in range(20)]
        assert await site.accept_on_fresh_connections(numbers) == {200}
        counted.append(await site.metric(CALLBACKS))
        await site.until_ready(True)
        counted += [await site.metric(CALLBACKS), await site.metric(CALLBACKS)]
    assert counted == sorted(counted)
    assert counted[0] > 0
    assert await site.metric("usps_receiver_worker_restarts_total", worker="1") == restarts + 1
    assert site.pid(1) != killed
    ended = site.told("worker_ended")[-1]
    assert (ended["worker"], ended["exit_code"]) == (1, -9)
    assert await site.missing() == set()


@pytest.mark.soak
async def test_workers_that_die_again_and_again(site: Workers) -> None:
    """Eight kills in turn under load: a worker always answers, no count falls, no 200 is lost."""
    counted = [0.0]
    async with load(site):
        for kill in range(8):
            os.kill(site.pid(kill % 2), signal.SIGKILL)
            await until(lambda: site.has_reason("worker "))
            await site.accepts_more(50)
            counted.append(await site.metric(CALLBACKS))
            await until(site.is_ready, 60)
            counted.append(await site.metric(CALLBACKS))
    assert counted == sorted(counted)
    assert await site.missing() == set()


async def test_silent_worker_is_named_and_left_out(site: Workers) -> None:
    """A stopped process: new connections go to the other, the sums stay, and it comes back."""
    counted = await site.metric(CALLBACKS)
    await asyncio.gather(*(site.accept(f"BEFORE-{number}") for number in range(40)))
    assert await site.metric(CALLBACKS) == counted + 40
    os.kill(site.pid(0), signal.SIGSTOP)
    try:
        await until(lambda: site.has_reason("worker 0: does not answer"))
        numbers = [f"MEANWHILE-{number}" for number in range(40)]
        assert await site.accept_on_fresh_connections(numbers) == {200}
        assert await site.metric(CALLBACKS) == counted + 80
        assert await site.metric("usps_receiver_worker_up", worker="0") == 0
    finally:
        os.kill(site.pid(0), signal.SIGCONT)
    await site.until_ready(True)
    assert await site.metric("usps_receiver_worker_up") == 2
    assert await site.metric(CALLBACKS) == counted + 80


async def test_sigterm_drains_every_worker(site: Workers) -> None:
    """Under load: exit 0, no process left, and every 200 is in the topic."""
    stopped = len(site.told("receiver_stopped"))
    posts = [asyncio.create_task(site.accept(f"END-{number}")) for number in range(300)]
    await eventually(lambda: any(post.done() for post in posts), 30)
    workers = [site.pid(0), site.pid(1)]
    assert await asyncio.to_thread(site.program.end) == 0
    await asyncio.gather(*posts, return_exceptions=True)
    assert not any(psutil.pid_exists(pid) for pid in workers)
    assert len(site.told("receiver_stopped")) == stopped + 3
    assert await site.missing() == set()


@pytest.mark.soak
async def test_worker_that_cannot_end_is_killed(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """A stopped process does not keep the others: after the grace period the exit is still 0."""
    one = Workers(broker, topic_prefix, tmp_path)
    one.environ["SCANWIRE_BODY_TIMEOUT_SECONDS"] = "1"
    one.environ["SCANWIRE_PUBLISH_TIMEOUT_SECONDS"] = "1"
    async with one:
        stuck = one.pid(1)
        os.kill(stuck, signal.SIGSTOP)
        assert await asyncio.to_thread(one.program.end) == 0
        assert not psutil.pid_exists(stuck)
        [killed] = one.told("worker_killed")
        assert killed["worker"] == 1


async def test_killed_parent_leaves_nothing_behind(site: Workers) -> None:
    """The workers finish what they took and end by themselves; the port is free at once."""
    stopped = len(site.told("receiver_stopped"))
    posts = [asyncio.create_task(site.accept(f"ORPHAN-{number}")) for number in range(300)]
    await eventually(lambda: any(post.done() for post in posts), 30)
    workers = [site.pid(0), site.pid(1)]
    await asyncio.to_thread(site.program.kill)
    with socket.create_server(("127.0.0.1", site.port)):
        pass
    await eventually(lambda: not any(psutil.pid_exists(pid) for pid in workers), 30)
    await asyncio.gather(*posts, return_exceptions=True)
    assert len(site.told("receiver_stopped")) == stopped + 2
    assert await site.missing() == set()
