"""The way to the broker: a working producer, replaced when it can no longer be used."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from receiver.publishing.producer import BROKER_FAULTS, Producer
from receiver.publishing.topics import FindPartitions
from schemas.clock import Clock
from schemas.errors import OperatorError
from schemas.metrics import ReceiverMetrics

log = structlog.get_logger(__name__)
RETRY_SECONDS: Final = 1.0
# So many producers may end within a second each before the next one has to wait.
MAX_QUICK_ENDS: Final = 5
# While acknowledgements flow nobody needs to ask whether the broker is there.
PROBE_AFTER_SECONDS: Final = 2.0
PROBE_EVERY_SECONDS: Final = 1.0


def _nothing() -> None:
    """Before anyone listens."""


async def _remember_nothing(_: Mapping[str, int]) -> bool:
    """Nobody keeps them."""
    return False


class Broker:
    """Builds the producer, watches whether the broker is there, and renews what is worn out.

    Attributes:
        producer: The one to use; None while there is none.
        partitions: Partitions by topic, kept or read. Read once: a piece must stay where it is.
        suspected: The broker did not answer lately.
        on_started, on_lost: Called with every new producer, and after it was given up and closed.
        remember: Keeps the partitions that were read. True: they are not those kept before.
    """

    def __init__(
        self,
        make_producer: Callable[[], Producer],
        find_partitions: FindPartitions,
        topics: Sequence[str],
        metrics: ReceiverMetrics,
        clock: Clock,
    ) -> None:
        self._make_producer = make_producer
        self._find_partitions = find_partitions
        self._topics = topics
        self._metrics = metrics
        self._clock = clock
        self._worn_out = asyncio.Event()
        self._quick_ends = 0
        self._trouble = "no broker was reached yet"
        self._acknowledged_at = float("-inf")
        self.producer: Producer | None = None
        self.partitions: Mapping[str, int] = {}
        self.suspected = False
        self.on_started: Callable[[], None] = _nothing
        self.on_lost: Callable[[], None] = _nothing
        self.remember: Callable[[Mapping[str, int]], Awaitable[bool]] = _remember_nothing
        self._reached = False

    def readiness(self) -> Sequence[str]:
        """Why the broker takes no records, if so."""
        if self._trouble:
            return [self._trouble]
        return ["the broker does not answer"] if self.suspected else []

    def acknowledged(self) -> None:
        """A batch was acknowledged just now."""
        self._acknowledged_at = self._clock.monotonic()
        if self.suspected:
            self._suspect(False)

    def missed(self) -> None:
        """A batch was not acknowledged in time."""
        if not self.suspected:
            self._suspect(True)

    def renew(self, why: str) -> None:
        """Gives the producer up: idempotence ends with the first batch that fails for good."""
        if self.producer is None:
            return
        log.warning("producer_given_up", reason=why)
        self.producer = None
        self._worn_out.set()

    async def run(self) -> None:
        """Keeps a producer at hand until cancelled; then closes it."""
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                began = self._clock.monotonic()
                await self._serve(await self._build())
                quick = self._clock.monotonic() - began < RETRY_SECONDS
                self._quick_ends = self._quick_ends + 1 if quick else 0
                if self._quick_ends > MAX_QUICK_ENDS:
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            watching.cancel()

    async def _serve(self, producer: Producer) -> None:
        try:
            self._worn_out.clear()
            self.producer = producer
            self._trouble = ""
            self._suspect(False)
            log.info("producer_started")
            self.on_started()
            await self._worn_out.wait()
        finally:
            self.producer = None
            # What it has in flight may still land, which spares a repeat.
            await producer.close()
            self.on_lost()

    async def _build(self) -> Producer:
        while True:
            try:
                if await self._topics_found():
                    producer = self._make_producer()
                    await producer.start()
                    return producer
            except BROKER_FAULTS as error:
                self._blame(f"the broker cannot be reached ({type(error).__name__})")
            self._suspect(True)
            await asyncio.sleep(RETRY_SECONDS)

    async def _topics_found(self) -> bool:
        found = await self._find_partitions()
        missing = [topic for topic in self._topics if topic not in found]
        if missing:
            self._blame(
                f"topics are missing: {', '.join(missing)}; run `scanwire-processors topics` "
                "or `scanwire-processors registry apply FILE`"
            )
            return False
        now = {topic: found[topic] for topic in self._topics}
        if not self._reached:
            await self._reach(now)
        elif now != self.partitions:
            log.error("partitions_changed", known=self.partitions, now=now)
        return True

    async def _reach(self, partitions: Mapping[str, int]) -> None:
        """Raises `OperatorError` if what was taken so far lies by other numbers."""
        if await self.remember(partitions):
            raise OperatorError(
                "partitions_changed",
                f"the topics' partitions changed from {self.partitions} to {partitions} while "
                "this receiver was down; what waited was sorted anew: start it again",
            )
        self._reached = True
        self.partitions = partitions

    def _blame(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("broker_unavailable", detail=trouble)
        self._trouble = trouble

    def _suspect(self, suspected: bool) -> None:
        if suspected != self.suspected:
            log.warning("broker_suspected" if suspected else "broker_answered")
        self.suspected = suspected
        self._metrics.broker_available.set(0 if suspected else 1)

    async def _watch(self) -> None:
        """Asks the broker while nothing else tells: readiness must not wait for a callback."""
        while True:
            await asyncio.sleep(PROBE_EVERY_SECONDS)
            producer = self.producer
            quiet = self._clock.monotonic() - self._acknowledged_at
            if producer is None or (quiet < PROBE_AFTER_SECONDS and not self.suspected):
                continue
            answers = await producer.answers()
            if producer is self.producer:
                self._suspect(not answers)
