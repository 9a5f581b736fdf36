"""The work on one assigned partition: tenure after tenure, batch after batch."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka.structs import ConsumerRecord

from processors.consume.errors import can_begin_anew, told
from processors.consume.stage import OutRecord, Stage, TracksPlaces
from processors.consume.tenure import Claim, Tenure
from processors.consume.write import SizeLimits, is_fence
from schemas.clock import Clock
from schemas.errors import Interrupted, PositionLost

log = structlog.get_logger(__name__)
# A commit's markers take the broker some 20 ms, before which the next transaction only waits;
# and small transactions cost the broker as much as large ones.
MIN_INTERVAL_SECONDS: Final = 0.05
FULL_BATCH_RECORDS: Final = 250
IDLE_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 10.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0
# Longer than a heartbeat interval (3 s): a process that lost the partition has learnt it.
RECLAIM_SECONDS: Final = 5.0
# Fenced so often while the group says it is ours: the group's client must be wrong.
DOUBTFUL_FENCES: Final = 3


@dataclass(frozen=True, slots=True)
class Observers:
    """What the program counts.

    Attributes:
        lag: (input partition, records not yet processed).
        batch_seconds: one committed batch, from its records in hand to the commit.
        aborted: a transaction was given up and is tried again.
        lost: (input partition, 1 when its position fell out of the log, else 0).
    """

    lag: Callable[[int, int], None]
    batch_seconds: Callable[[float], None]
    aborted: Callable[[], None]
    lost: Callable[[int, int], None]


class PartitionWorker:
    """Owns one partition until it is stopped."""

    def __init__(
        self,
        claim: Claim,
        make_stage: Callable[[], Stage],
        observers: Observers,
        clock: Clock,
        doubt: Callable[[], None],
    ) -> None:
        self._claim = claim
        self._make_stage = make_stage
        self._observers = observers
        self._clock = clock
        self._doubt = doubt
        self._limits = SizeLimits()
        self._stopping = asyncio.Event()
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._fences = 0
        self._log = log.bind(topic=claim.partition.topic, partition=claim.partition.partition)
        self._stirred_at: float | None = None
        self.trouble: str | None = "is being restored"

    def still_for(self) -> float:
        """Seconds without a sign of life in work that has time limits; 0 in all other work."""
        return 0.0 if self._stirred_at is None else self._clock.monotonic() - self._stirred_at

    def stop(self) -> None:
        """Lets `run` return after the batch in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`. Raises what beginning anew cannot help against."""
        stage = self._make_stage()
        try:
            while not self._stopping.is_set():
                await self._work(stage)
        finally:
            self._observers.lag(self._claim.partition.partition, 0)
            self._observers.lost(self._claim.partition.partition, 0)
            await stage.close()

    async def _work(self, stage: Stage) -> None:
        """One tenure, and what follows from how it ended."""
        try:
            await self._tenure(stage)
        except PositionLost as error:
            self.trouble = error.detail
            self._observers.lost(self._claim.partition.partition, 1)
            self._log.error("position_lost", detail=error.detail)
            await self._stopping.wait()
        except Exception as error:
            stage.aborted()
            if not can_begin_anew(error):
                raise
            await self._after(error)

    async def _after(self, error: Exception) -> None:
        """Tells the trouble and waits, longer each time, before the next tenure."""
        self._observers.aborted()
        fenced = is_fence(error)
        self.trouble = "was taken over" if fenced else f"is interrupted ({told(error)})"
        self._log.warning(
            "tenure_ended", reason="fenced" if fenced else told(error), next_in=self._pause_seconds
        )
        if fenced:
            self._fences += 1
            if self._fences >= DOUBTFUL_FENCES:
                self._doubt()
            await self._pause(RECLAIM_SECONDS)
        elif isinstance(error, Interrupted) and error.reason == "record_too_large":
            self.trouble = None
        else:
            await self._pause(self._pause_seconds)
            self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)

    async def _tenure(self, stage: Stage) -> None:
        tenure = Tenure(self._claim, self._limits)
        try:
            offset = await tenure.begin()
            await stage.restore()
            self.trouble = None
            self._log.info("tenure_began", offset=offset)
            await self._batches(tenure, stage)
        finally:
            self._stirred_at = self._clock.monotonic()
            await tenure.close()
            self._stirred_at = None

    async def _batches(self, tenure: Tenure, stage: Stage) -> None:
        idled = watched = self._clock.monotonic()
        while not self._stopping.is_set():
            self._stirred_at = self._clock.monotonic()
            records = await tenure.poll()
            now = self._clock.monotonic()
            if records:
                await self._batch(tenure, stage, records)
                await self._pace(len(records), now)
                idled = watched = self._clock.monotonic()
            elif now - watched >= WATCH_SECONDS:
                self._observers.lag(self._claim.partition.partition, await tenure.watch())
                watched = self._clock.monotonic()
            elif now - idled >= IDLE_SECONDS:
                await self._write(tenure, stage, await stage.idle(), None)
                idled = self._clock.monotonic()

    async def _pace(self, records: int, began: float) -> None:
        """After a small batch, lets the next one gather."""
        if records < FULL_BATCH_RECORDS:
            await self._pause(MIN_INTERVAL_SECONDS - (self._clock.monotonic() - began))

    async def _batch(self, tenure: Tenure, stage: Stage, records: Sequence[ConsumerRecord]) -> None:
        """1. Transform. 2. One transaction: outputs and offset. 3. The stage keeps its changes."""
        began = self._clock.monotonic()
        next_offset: int = records[-1].offset + 1
        await self._write(tenure, stage, await stage.transform(records), next_offset)
        self._pause_seconds, self._fences = FIRST_PAUSE_SECONDS, 0
        self._observers.batch_seconds(self._clock.monotonic() - began)
        self._observers.lag(self._claim.partition.partition, tenure.lag(next_offset))

    async def _write(
        self, tenure: Tenure, stage: Stage, out: Sequence[OutRecord], next_offset: int | None
    ) -> None:
        if not out and next_offset is None:
            return
        last = await tenure.write(out, next_offset)
        if isinstance(stage, TracksPlaces):
            stage.placed(last)
        stage.committed()

    async def _pause(self, seconds: float) -> None:
        """Waits, at most until `stop`."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)
