"""The calls that USPS allows an account, counted for all processes of the machine together.

The bucket stands in a small file beside its lock; whoever holds the lock reads, changes and
replaces it. A process that is killed leaves either the old file or the new one, and the kernel
frees its lock.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson
import structlog

from receiver.usps.bucket import Allowance, Bucket
from receiver.usps.timing import Timing
from schemas.errors import OperatorError
from schemas.metrics import UspsMetrics
from schemas.settings import PREFIX

log = structlog.get_logger(__name__)
# So often whoever waits looks again: USPS may have said meanwhile that it takes longer.
LOOK_SECONDS: Final = 15.0
# Two who wait for the same call do not look at the same moment.
_SPREAD_SECONDS: Final = 0.05


class SharedQuota:
    """`Quota` of one account. `waiting_seconds`: how long a call that waits now must wait yet."""

    def __init__(
        self,
        directory: Path,
        account_id: str,
        allowance: Allowance,
        timing: Timing,
        metrics: UspsMetrics,
    ) -> None:
        self._file = directory / f"usps-quota-{account_id}.json"
        self._lock = directory / f"usps-quota-{account_id}.lock"
        self._allowance = allowance
        self._timing = timing
        self._metrics = metrics
        self.waiting_seconds = 0.0

    async def take(self) -> None:
        """See `Quota`. Raises `OperatorError`: the state directory cannot be written to."""
        try:
            while seconds := await asyncio.to_thread(self._try):
                self.waiting_seconds = seconds
                pause = min(seconds, LOOK_SECONDS) + self._timing.chance() * _SPREAD_SECONDS
                await self._timing.sleep(pause)
                self._metrics.quota_wait_seconds.inc(pause)
        finally:
            self.waiting_seconds = 0.0

    def spent(self, seconds: float) -> None:
        """See `Quota`."""
        self._change(lambda bucket: bucket.closed(seconds))
        log.warning("usps_quota_spent", seconds=round(seconds, 1))

    def _try(self) -> float:
        """Takes a call and returns 0, or says how long there is none."""
        wait = 0.0

        def take_if_any(bucket: Bucket) -> Bucket:
            nonlocal wait
            wait = bucket.wait_seconds(self._allowance)
            return bucket if wait else bucket.taken()

        self._change(take_if_any)
        return wait

    def _change(self, change: Callable[[Bucket], Bucket]) -> None:
        try:
            with self._locked():
                now = self._timing.clock.now().timestamp()
                bucket = change(self._read(now).filled(self._allowance, now))
                self._write(bucket)
        except OSError as error:
            raise OperatorError(
                "quota_unwritable",
                f"{self._file} cannot be written ({error.strerror}): make room or correct "
                f"{PREFIX}STATE_DIRECTORY; the calls that USPS allows are counted there",
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, now: float) -> Bucket:
        """What stands there; a file that is spoilt may hide calls that were made: none is left."""
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return Bucket(self._allowance.room, now)
        try:
            known = orjson.loads(text)
            return Bucket(float(known["calls"]), float(known["at"]), float(known["closed_until"]))
        except (ValueError, TypeError, KeyError):
            log.warning("usps_quota_unreadable", file=str(self._file))
            return Bucket(0.0, now)

    def _write(self, bucket: Bucket) -> None:
        new = self._file.with_suffix(".new")
        new.write_bytes(
            orjson.dumps(
                {"calls": bucket.calls, "at": bucket.at, "closed_until": bucket.closed_until}
            )
        )
        os.replace(new, self._file)  # noqa: PTH105 -- the atomic one, by its name
