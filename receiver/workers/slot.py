"""One worker's place: when the process in it ends, another is started."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog

from receiver.workers.front import Taker
from receiver.workers.scrape import Scrape, Scraped
from schemas.clock import Clock
from schemas.metrics import WorkersMetrics

log = structlog.get_logger(__name__)
FIRST_DELAY_SECONDS: Final = 1.0
LAST_DELAY_SECONDS: Final = 30.0
# Who ran for so long did not fail at its start: the next delay is the first again.
WELL_SECONDS: Final = 60.0


class Worker(Taker, Scraped, Protocol):
    """A process in its place."""

    @property
    def answers(self) -> bool:
        """False while it starts or hangs."""

    def readiness(self) -> Sequence[str]:
        """Why it is not ready."""

    def notes(self) -> Sequence[str]:
        """What is wrong with it, but does not stand in the way."""

    async def wait(self) -> tuple[int, str | None]:
        """Its exit code and its last metrics."""

    def send(self, number: signal.Signals) -> None:
        """A signal, if it still runs."""


class BackOff:
    """How long to wait before the next start: twice as long after each quick end."""

    def __init__(self, clock: Clock, first: float, last: float) -> None:
        self._clock = clock
        self._first = self._next = first
        self._last = last
        self._began = clock.monotonic()

    def began(self) -> None:
        """A process starts."""
        self._began = self._clock.monotonic()

    def delay(self) -> float:
        """Seconds, after its end."""
        if self._clock.monotonic() - self._began >= WELL_SECONDS:
            self._next = self._first
        delay, self._next = self._next, min(2 * self._next, self._last)
        return delay


class Slot:
    """Keeps one worker running from `begin` until `end`."""

    def __init__(
        self,
        number: int,
        start: Callable[[int], Awaitable[Worker]],
        scrape: Scrape,
        metrics: WorkersMetrics,
        back_off: BackOff,
    ) -> None:
        self._number = number
        self._start = start
        self._scrape = scrape
        self._restarts = metrics.restarts.labels(str(number))
        self._back_off = back_off
        self._ending = asyncio.Event()
        self._trouble = "is starting"
        self.worker: Worker | None = None

    def readiness(self) -> Sequence[str]:
        """Why its worker is not ready; each sentence names it."""
        reasons = [self._trouble] if self.worker is None else self.worker.readiness()
        return [f"worker {self._number}: {reason}" for reason in reasons]

    def notes(self) -> Sequence[str]:
        """What else is wrong with its worker; each sentence names it."""
        notes = [] if self.worker is None else self.worker.notes()
        return [f"worker {self._number}: {note}" for note in notes]

    async def run(self) -> None:
        """Until `end` was called and its worker is gone. What is no fault of a worker is raised."""
        while not self._ending.is_set():
            self._back_off.began()
            try:
                await self._run_once()
            except OSError as error:
                self._blame(f"cannot be started ({error.strerror})")
            if not self._ending.is_set():
                await self._pause()
                self._restarts.inc()

    async def end(self, grace_seconds: float) -> None:
        """Has it finish what it took; kills it if it is not gone within so many seconds."""
        self._ending.set()
        self._tell(signal.SIGTERM)
        await asyncio.sleep(grace_seconds)
        if self.worker is not None:
            log.error("worker_killed", worker=self._number, grace_seconds=grace_seconds)
        self._tell(signal.SIGKILL)

    async def _run_once(self) -> None:
        worker = await self._start(self._number)
        self._scrape.started(worker)
        self.worker = worker
        if self._ending.is_set():
            worker.send(signal.SIGTERM)
        code, last_word = await worker.wait()
        self.worker = None
        self._trouble = f"ended with exit code {code}"
        await self._scrape.ended(worker, last_word)
        if not self._ending.is_set():
            log.error("worker_ended", worker=self._number, exit_code=code)

    async def _pause(self) -> None:
        seconds = self._back_off.delay()
        self._trouble = f"{self._trouble}; it is started again in {seconds:g} s"
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        self._trouble = "is starting"

    def _blame(self, trouble: str) -> None:
        self._trouble = trouble
        log.error("worker_not_started", worker=self._number, detail=trouble)

    def _tell(self, number: signal.Signals) -> None:
        if self.worker is not None:
            self.worker.send(number)
