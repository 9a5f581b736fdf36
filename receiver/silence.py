"""Notices when USPS stops calling: per subscription, over restarts, for all workers together.

What is known stands in one small file of the state directory. Every worker folds what it heard
into it, so that each sees all; the file may be lost, which only begins the counting anew.
"""

import asyncio
import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from receiver.following.subscriptions import KnownSubscription, SubscriptionTable
from receiver.judging.tallies import Tallies
from receiver.rhythm import WARN_AFTER, Rhythm
from receiver.whole_file import write_whole
from schemas.clock import Clock, rfc3339
from schemas.metrics import SilenceMetrics

log = structlog.get_logger(__name__)
FILE: Final = "silence.json"
FOLD_SECONDS: Final = 30.0
# One that comes back into the registry keeps its rhythm.
_FORGOTTEN_AFTER: Final = timedelta(days=60)
_RHYTHMS: Final = TypeAdapter(dict[str, Rhythm])


class RhythmFile:
    """The file and its lock. Raises `OSError` where the directory cannot be used."""

    def __init__(self, state_directory: Path) -> None:
        self._path = state_directory / FILE

    def read(self) -> dict[str, Rhythm]:
        """All that is known; nothing, where there is no file or a spoilt one."""
        try:
            return _RHYTHMS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError:
            log.warning("silence_file_unreadable", file=str(self._path))
            return {}

    @contextmanager
    def changing(self) -> Iterator[dict[str, Rhythm]]:
        """Alone; what the block leaves in the dictionary is written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            rhythms = self.read()
            yield rhythms
            write_whole(self._path, _RHYTHMS.dump_json(rhythms))


class SilenceWatch:
    """Folds, measures and warns until cancelled."""

    def __init__(
        self,
        file: RhythmFile,
        tallies: Tallies,
        table: Callable[[], SubscriptionTable | None],
        metrics: SilenceMetrics,
        clock: Clock,
    ) -> None:
        self._file = file
        self._tallies = tallies
        self._table = table
        self._metrics = metrics
        self._clock = clock
        self._trouble = ""
        self._heard: dict[str, datetime] = {}
        self._measured: set[str] = set()

    async def run(self) -> None:
        """Every half minute, and a last time at the end."""
        try:
            while True:
                await asyncio.sleep(FOLD_SECONDS)
                self._take()
                await asyncio.to_thread(self._fold)
        finally:
            self.fold()

    def fold(self) -> None:
        """Takes what was heard into the file, and tells."""
        self._take()
        self._fold()

    def _take(self) -> None:
        """In the loop, where callbacks are heard; what no file took yet is kept."""
        self._heard |= self._tallies.take_heard()

    def _fold(self) -> None:
        """A disk in trouble costs nobody more than this knowledge."""
        table = self._table()
        if table is None:  # nobody is known yet, so nobody was heard
            return
        known = {one.name: one for one in table.values()}
        heard = dict(self._heard)
        try:
            with self._file.changing() as rhythms:
                self._update(rhythms, known, heard)
        except OSError as error:
            self._blame(type(error).__name__)
            return
        for name, at in heard.items():
            if self._heard.get(name) == at:
                del self._heard[name]
        self._trouble = ""
        self._measure(rhythms, known)

    def _update(
        self,
        rhythms: dict[str, Rhythm],
        known: Mapping[str, KnownSubscription],
        heard: Mapping[str, datetime],
    ) -> None:
        now = self._clock.now()
        for name, rhythm in list(rhythms.items()):
            if name not in known and rhythm.silence(now) > _FORGOTTEN_AFTER:
                del rhythms[name]
        for name, subscription in known.items():
            after = rhythms.get(name) or Rhythm(since=now)
            if name in heard:
                after = after.heard(heard[name])
            due = after.warning_due(now)
            if due > after.warned:
                self._warn(subscription, after, due)
                after = after.model_copy(update={"warned": due})
            rhythms[name] = after

    def _warn(self, subscription: KnownSubscription, rhythm: Rhythm, due: int) -> None:
        """Once for each threshold, whatever the number of workers and restarts."""
        log.warning(
            "subscription_silent",
            subscription=subscription.name,
            days=WARN_AFTER[due - 1].days,
            days_left=round(rhythm.days_left(self._clock.now()), 1),
            remedy=remedy(subscription, rhythm),
        )

    def _measure(
        self, rhythms: Mapping[str, Rhythm], known: Mapping[str, KnownSubscription]
    ) -> None:
        now, metrics = self._clock.now(), self._metrics
        for name in self._measured - known.keys():
            for gauge in (metrics.seconds, metrics.ratio, metrics.days_left):
                with suppress(KeyError):  # not every one has a ratio
                    gauge.remove(name)
        self._measured = set(known)
        for name in known:
            rhythm = rhythms[name]
            metrics.seconds.labels(name).set(rhythm.silence(now).total_seconds())
            metrics.days_left.labels(name).set(rhythm.days_left(now))
            ratio = rhythm.ratio(now)
            if ratio is not None:
                metrics.ratio.labels(name).set(ratio)

    def _blame(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("silence_not_kept", error=trouble)
        self._trouble = trouble


def remedy(subscription: KnownSubscription, rhythm: Rhythm) -> str:
    """The command that fetches what may have been missed."""
    if subscription.mid is None:
        subject = f"--tracking-number {subscription.tracking_number}"
    else:
        since = rfc3339(rhythm.last or rhythm.since)
        subject = f"--mid {subscription.mid} --since {since[:19]}Z"
    return f"`scanwire-receiver subscriptions plan`, then `scanwire-receiver backfill {subject}`"
