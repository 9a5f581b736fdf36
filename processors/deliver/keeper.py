"""Keeps one destination running: waits for its topic, runs it again after what can pass.

Whatever is wrong with one destination stops that one, visibly, and never another.
"""

import asyncio
from enum import Enum
from typing import Final

import orjson
import structlog
from aiokafka.errors import KafkaError

from processors.deliver.declaration import declaration_digest, is_disabled
from processors.deliver.delivery import Delivery
from processors.deliver.recorder import AuditRecord
from processors.deliver.settlements import SOURCE
from processors.deliver.shared import Shared
from schemas.clock import rfc3339
from schemas.errors import ScanwireError
from schemas.headers import record_headers
from schemas.records import CloudEventType
from schemas.registry.destinations import Destination
from schemas.registry.observed import ObservedKind

log = structlog.get_logger(__name__)
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
# A run this long was a success: the next pause is short again.
WELL_SECONDS: Final = 60.0
GONE: Final = "gone"


class State(Enum):
    """Where a destination stands."""

    WAITING = "waiting"  # for its merchant's topic
    RUNNING = "running"
    STOPPED = "stopped"  # its lag grows


class Keeper:
    """One destination as declared now; another declaration gets another keeper."""

    def __init__(self, destination: Destination, shared: Shared) -> None:
        self.destination = destination
        self.topic = shared.tools.settings.topics.merchant(destination.merchant)
        self.state = State.WAITING
        self.reason = ""
        self._shared = shared
        self._clock = shared.tools.clock
        self._stopping = asyncio.Event()
        self._delivery: Delivery | None = None
        self._stopped = shared.metrics.stopped.labels(destination.id)

    @property
    def delivery(self) -> Delivery | None:
        """The run under way, if there is one."""
        return self._delivery

    async def run(self) -> None:
        """Until `stop`. Raises nothing."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            await self._run_once()
            if self._clock.monotonic() - began > WELL_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await self._wait(None if self.reason == GONE else pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """Makes `run` finish what is in hand and return."""
        self._stopping.set()
        if self._delivery is not None:
            self._delivery.stop()

    def refresh(self) -> None:
        """A secret's file changed."""
        if self._delivery is not None:
            self._delivery.refresh()

    async def _run_once(self) -> None:
        """One run, whatever comes of it."""
        try:
            if is_disabled(self.destination, self._shared.registry_log.observed):
                self._say(State.STOPPED, GONE, "answered 410; `destinations enable` ends it")
            elif await self._shared.topics.partitions(self.topic) is None:
                self._say(State.WAITING, "topic_missing", f"{self.topic} does not exist yet")
            else:
                await self._deliver()
        except ScanwireError as error:
            self._say(State.STOPPED, error.reason, error.detail)
        except (KafkaError, OSError, TimeoutError) as error:
            self._say(State.STOPPED, "broker_failed", type(error).__name__)
        except Exception as error:  # noqa: BLE001 -- a bug in one must not stop the others
            self._say(State.STOPPED, "failed", type(error).__name__)

    async def _deliver(self) -> None:
        await self._shared.logs.know([self.topic])
        if self._stopping.is_set():
            return
        self._delivery = Delivery(
            self.destination, self._shared, lambda: self._say(State.RUNNING, "", "")
        )
        try:
            gone = await self._delivery.run()
        finally:
            self._delivery = None
        if gone:
            self._say(State.STOPPED, GONE, "answered 410; `destinations enable` ends it")
            self._disable()

    def _disable(self) -> None:
        """Writes down that it is gone, for as long as it is declared as now."""
        now = rfc3339(self._clock.now())
        key = f"{ObservedKind.DISABLED}/{self.destination.id}"
        value = {
            "declared": declaration_digest(self.destination),
            "reason": "answered 410",
            "observed_at": now,
        }
        headers = record_headers(key, CloudEventType.OBSERVED, SOURCE, now, None)
        record = AuditRecord(
            self._shared.tools.settings.topics.observed, key.encode(), orjson.dumps(value), headers
        )
        self._shared.recorder.write(record, lambda: None)

    def _say(self, state: State, reason: str, detail: str) -> None:
        """Told once, by log and metric, for as long as it stays so."""
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason = state, reason
        self._stopped.set(state is State.STOPPED)
        fields = {"destination": self.destination.id, "reason": reason, "detail": detail}
        if state is State.STOPPED:
            log.error("destination_stopped", **fields)
        elif state is State.WAITING:
            log.warning("destination_waits", **fields)
        else:
            log.info("destination_started", destination=self.destination.id)

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
