"""How far a back-fill is, for who watches: a bar on a terminal, log lines elsewhere."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from receiver.feeds.backfill_summary import calls_for, seconds_for
from receiver.usps.bucket import Allowance
from schemas.clock import Clock

log = structlog.get_logger(__name__)
_BAR_SECONDS: Final = 0.5
_LINE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A moment of a job. `quota_wait_seconds`: how long it waits now for the quota."""

    done: int
    total: int
    quota_wait_seconds: float
    waits_for_broker: bool

    @property
    def waiting(self) -> str:
        """What it waits for, if it does."""
        if self.waits_for_broker:
            return "waits for Kafka"
        if self.quota_wait_seconds:
            return f"waits for the quota, {self.quota_wait_seconds:.0f} s"
        return ""


class Estimate:
    """How long the rest takes: as fast as so far, or as the quota allows if that is slower."""

    def __init__(self, clock: Clock, allowance: Allowance, done: int) -> None:
        self._clock = clock
        self._allowance = allowance
        self._began = clock.monotonic()
        self._done_before = done

    def rate(self, standing: Standing) -> float:
        """Numbers a second in this run; 0: none yet."""
        elapsed = self._clock.monotonic() - self._began
        return (standing.done - self._done_before) / elapsed if elapsed > 0 else 0.0

    def seconds_left(self, standing: Standing) -> float:
        """From now to the end."""
        left = standing.total - standing.done
        by_quota = seconds_for(calls_for(left), self._allowance) + standing.quota_wait_seconds
        rate = self.rate(standing)
        # A rate of the first seconds says little: the bucket was full then.
        return max(by_quota, left / rate if rate > 0 and not standing.quota_wait_seconds else 0.0)


async def tell_progress(look: Callable[[], Standing], estimate: Estimate) -> None:
    """Until cancelled."""
    if sys.stderr.isatty():
        await draw_bar(Console(stderr=True), look, estimate)
    else:
        await _lines(look, estimate)


async def _lines(look: Callable[[], Standing], estimate: Estimate) -> None:
    while True:
        await asyncio.sleep(_LINE_SECONDS)
        standing = look()
        log.info(
            "backfill_progressed",
            done=standing.done,
            total=standing.total,
            numbers_per_hour=round(estimate.rate(standing) * 3600),
            seconds_left=round(estimate.seconds_left(standing)),
            waiting=standing.waiting,
        )


async def draw_bar(console: Console, look: Callable[[], Standing], estimate: Estimate) -> None:
    """A line that is drawn anew until it is cancelled."""
    columns = (
        TextColumn("back-fill"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/h, {task.fields[left]} left  {task.fields[waiting]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1, rate="-", left="-", waiting="")
        while True:
            _draw(progress, task, look(), estimate)
            await asyncio.sleep(_BAR_SECONDS)


def _draw(progress: Progress, task: TaskID, standing: Standing, estimate: Estimate) -> None:
    progress.update(
        task,
        total=standing.total,
        completed=standing.done,
        rate=f"{estimate.rate(standing) * 3600:.0f}",
        left=str(timedelta(seconds=round(estimate.seconds_left(standing)))),
        waiting=standing.waiting,
    )
