"""A worker's place: who dies is replaced, and what it counted stays. The worker is a fake."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from receiver.workers.scrape import Scrape
from receiver.workers.slot import BackOff, Slot
from schemas.metrics import WorkersMetrics
from tests.receiver.fakes import FakeClock, eventually


class FakeWorker:
    """A process that ends when told, or by itself; its metrics are one counter and one gauge."""

    answers = True
    burden = (False, 0)

    def __init__(self, number: int) -> None:
        self.number = number
        self.seen = 0
        self.silent = False
        self.obeys = True
        self.reasons: list[str] = []
        self.noted: list[str] = []
        self.signals: list[signal.Signals] = []
        self._ended: asyncio.Future[tuple[int, str | None]] = asyncio.Future()

    def take(self, connection: socket.socket) -> bool:
        return False

    def readiness(self) -> Sequence[str]:
        return self.reasons

    def notes(self) -> Sequence[str]:
        return self.noted

    async def exposition(self) -> str | None:
        return None if self.silent or self._ended.done() else self.text()

    async def wait(self) -> tuple[int, str | None]:
        return await self._ended

    def send(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if number == signal.SIGKILL:
            self.end(-9, None)
        elif self.obeys:
            self.end(0, self.text())

    def end(self, code: int, last_word: str | None) -> None:
        """It ends now."""
        self._ended.set_result((code, last_word))

    def text(self) -> str:
        """What it counted so far."""
        return (
            f"# TYPE seen counter\nseen_total {self.seen}\n"
            f"# TYPE usps_receiver_callbacks_in_flight gauge\n"
            f"usps_receiver_callbacks_in_flight 5\n"
        )


class Place:
    """A slot and every worker that was in it."""

    def __init__(self, delay: float = 0.01) -> None:
        self.registry = CollectorRegistry()
        self.metrics = WorkersMetrics(self.registry)
        self.scrape = Scrape([1], self.registry, self.metrics)
        self.started: list[FakeWorker] = []
        self.fails: OSError | None = None
        self.slot = Slot(
            1, self._start, self.scrape, self.metrics, BackOff(FakeClock(), delay, delay)
        )

    @property
    def worker(self) -> FakeWorker:
        """The one that was started last."""
        return self.started[-1]

    async def metric(self, name: str) -> float | None:
        """As a scrape has it."""
        text = (await self.scrape.exposition()).decode()
        values = [line.split()[-1] for line in text.splitlines() if line.startswith(name)]
        return float(values[0]) if values else None

    async def replaced(self, count: int) -> None:
        """Until so many were started."""
        await eventually(lambda: len(self.started) == count and self.slot.worker)

    async def _start(self, number: int) -> FakeWorker:
        if self.fails is not None:
            raise self.fails
        self.started.append(FakeWorker(number))
        return self.worker


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """One with a worker in it; ended in the end."""
    one = Place()
    running = asyncio.create_task(one.slot.run())
    await one.replaced(1)
    yield one
    ending = asyncio.create_task(one.slot.end(0.05))
    await asyncio.wait_for(running, 5)
    ending.cancel()


async def test_the_dead_are_replaced_and_counted() -> None:
    """Its end is told by name, another is started, and the restart is counted."""
    async with place() as one:
        assert one.slot.readiness() == []
        one.worker.end(-9, None)
        await eventually(lambda: one.slot.worker is None)
        assert "worker 1: ended with exit code -9" in " ".join(one.slot.readiness())
        await one.replaced(2)
        assert await one.metric('usps_receiver_worker_restarts_total{worker="1"}') == 1


async def test_counts_outlive_their_worker() -> None:
    """What was last seen of a killed one stays, and what its successor counts is added."""
    async with place() as one:
        one.worker.seen = 3
        assert await one.metric("seen_total") == 3
        one.worker.end(-9, None)
        await one.replaced(2)
        one.worker.seen = 4
        assert await one.metric("seen_total") == 7
        assert await one.metric("usps_receiver_callbacks_in_flight") == 5


async def test_last_word_counts() -> None:
    """One that ended well leaves nothing out, even what no scrape saw."""
    async with place() as one:
        one.worker.seen = 3
        one.worker.end(0, one.worker.text())
        await one.replaced(2)
        assert await one.metric("seen_total") == 3


async def test_silent_worker_is_left_out_but_for_its_counts() -> None:
    """Not up, no gauges; its counters stay as they were, so that no sum falls."""
    async with place() as one:
        one.worker.seen = 3
        assert await one.metric("seen_total") == 3
        assert await one.metric('usps_receiver_worker_up{worker="1"}') == 1
        one.worker.silent = True
        assert await one.metric("seen_total") == 3
        assert await one.metric("usps_receiver_callbacks_in_flight") is None
        assert await one.metric('usps_receiver_worker_up{worker="1"}') == 0


async def test_reasons_name_the_worker() -> None:
    """Whoever asks why the receiver is not ready is told which worker."""
    async with place() as one:
        one.worker.reasons = ["the registry was not read yet"]
        one.worker.noted = ["the disk is nearly full"]
        assert one.slot.readiness() == ["worker 1: the registry was not read yet"]
        assert one.slot.notes() == ["worker 1: the disk is nearly full"]


async def test_start_that_fails_is_tried_again() -> None:
    """Without memory for a process, say: told, and tried again."""
    async with place() as one:
        one.fails = OSError(12, "Cannot allocate memory")
        one.worker.end(1, None)
        told = "worker 1: cannot be started (Cannot allocate memory)"
        await eventually(lambda: told in " ".join(one.slot.readiness()))
        one.fails = None
        await one.replaced(2)


async def test_end_is_final() -> None:
    """SIGTERM, and nobody is started any more."""
    async with place() as one:
        pass
    assert one.worker.signals == [signal.SIGTERM]
    assert len(one.started) == 1


async def test_end_does_not_wait_for_the_next_start() -> None:
    """Told to end while its worker is away, a place starts none and is done at once."""
    one = Place(delay=3600)
    running = asyncio.create_task(one.slot.run())
    await one.replaced(1)
    one.worker.end(1, None)
    await eventually(lambda: "started again in 3600 s" in " ".join(one.slot.readiness()))
    ending = asyncio.create_task(one.slot.end(3600))
    await asyncio.wait_for(running, 5)
    ending.cancel()
    assert len(one.started) == 1


async def test_worker_that_does_not_end_is_killed() -> None:
    """After the grace period."""
    async with place() as one:
        one.worker.obeys = False
    assert one.worker.signals == [signal.SIGTERM, signal.SIGKILL]


def test_delays_grow_and_begin_again() -> None:
    """1, 2, 4 … 30 seconds; the first again after a worker that ran for a minute."""
    clock = FakeClock()
    back_off = BackOff(clock, 1.0, 30.0)
    delays = []
    for _ in range(7):
        back_off.began()
        clock.advance(5)
        delays.append(back_off.delay())
    assert delays == [1, 2, 4, 8, 16, 30, 30]
    back_off.began()
    clock.advance(60)
    assert back_off.delay() == 1
