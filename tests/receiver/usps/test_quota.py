"""The quota: never more calls in an hour than allowed, whoever makes them."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from deploy.programs import ROOT
from receiver.usps.bucket import Allowance, Bucket
from receiver.usps.errors import UspsUnavailable
from receiver.usps.quota import SharedQuota
from schemas.errors import OperatorError
from schemas.metrics import UspsMetrics
from tests.receiver.usps.usps import FakeTime, Scripted, desk

# Takes calls until it is killed or has taken enough, and says the wall time of each.
TAKER = """
import asyncio, sys, time
from pathlib import Path
from prometheus_client import CollectorRegistry
from receiver.usps.bucket import Allowance
from receiver.usps.quota import SharedQuota
from receiver.usps.timing import Timing
from schemas.metrics import UspsMetrics

async def main():
    metrics = UspsMetrics(CollectorRegistry())
    allowance = Allowance(int(sys.argv[2]), int(sys.argv[3]))
    quota = SharedQuota(Path(sys.argv[1]), "main", allowance, Timing(), metrics)
    while True:
        await quota.take()
        print(time.time(), flush=True)

asyncio.run(main())
"""


def quota_at(directory: Path, time: FakeTime, allowance: Allowance | None = None) -> SharedQuota:
    """As one process has it."""
    metrics = UspsMetrics(CollectorRegistry())
    return SharedQuota(directory, "main", allowance or Allowance(60, 5), time.timing, metrics)


async def test_sixty_calls_an_hour_with_a_burst_of_five(tmp_path: Path) -> None:
    """Five go at once, the rest evenly; the first hour sees sixty, the next fifty-five."""
    time = FakeTime()
    quota, began = quota_at(tmp_path, time), time.clock.now()
    taken = []
    for _ in range(116):
        await quota.take()
        taken.append((time.clock.now() - began) / timedelta(seconds=1))
    assert taken[:5] == [0.0] * 5
    assert sum(at < 3600 for at in taken) in {59, 60}
    assert sum(3600 <= at < 7200 for at in taken) <= 56


@given(
    st.integers(1, 200),
    st.integers(1, 50),
    st.lists(st.floats(0, 1000), min_size=1, max_size=150),
)
def test_no_hour_sees_more_than_the_quota(per_hour: int, burst: int, pauses: list[float]) -> None:
    """Whatever the rhythm of those who ask, in any hour, sliding or fixed."""
    allowance = Allowance(per_hour, burst)
    bucket, now = Bucket(allowance.room, 0.0), 0.0
    taken: list[float] = []
    for pause in pauses:
        now += pause
        bucket = bucket.filled(allowance, now)
        wait = bucket.wait_seconds(allowance)
        if wait:
            now += wait
            bucket = bucket.filled(allowance, now)
            assert bucket.wait_seconds(allowance) < 1e-3
        bucket = bucket.taken()
        taken.append(now)
    for first, at in enumerate(taken):
        # A call exactly an hour later is the next hour's.
        assert sum(at <= one < at + 3599.9 for one in taken[first:]) <= per_hour


async def test_a_429_closes_it_for_every_process(tmp_path: Path) -> None:
    """Until Retry-After nothing goes; then one call, and the rest as it fills."""
    time = FakeTime()
    one, other = quota_at(tmp_path, time), quota_at(tmp_path, time)
    await one.take()
    one.spent(600.0)
    began = time.clock.now()
    await other.take()
    assert time.clock.now() - began == timedelta(seconds=600)
    await one.take()
    assert time.clock.now() - began > timedelta(seconds=660)


async def test_who_waits_sees_a_longer_closure(tmp_path: Path) -> None:
    """A call that waits already does not go while USPS wants none."""
    time = FakeTime()
    quota = quota_at(tmp_path, time, Allowance(60, 1))
    await quota.take()
    began = time.clock.now()

    def refused_elsewhere() -> None:
        time.during_sleep = lambda: None
        quota_at(tmp_path, time).spent(900.0)

    time.during_sleep = refused_elsewhere
    await quota.take()
    assert time.clock.now() - began >= timedelta(seconds=900)


async def test_a_spoilt_or_set_back_state_never_opens_it(tmp_path: Path) -> None:
    """A torn file has no calls left; a clock that is set back fills nothing."""
    time = FakeTime()
    quota = quota_at(tmp_path, time)
    (tmp_path / "usps-quota-main.json").write_bytes(b'{"calls": 5, "at')
    began = time.clock.now()
    await quota.take()
    assert time.clock.now() - began > timedelta(seconds=60)
    await quota.take()
    time.clock.advance(-86_400)
    began = time.clock.now()
    await quota.take()
    assert time.clock.now() > began


async def test_a_state_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    """One sentence that says what to do."""
    (tmp_path / "state").write_text("")
    quota = quota_at(tmp_path / "state", FakeTime())
    with pytest.raises(OperatorError) as error:
        await quota.take()
    assert "SCANWIRE_STATE_DIRECTORY" in error.value.detail


async def test_token_calls_and_api_calls_share_one_budget(tmp_path: Path) -> None:
    """A 429 of the API closes the quota for all, and the call goes when it opens."""
    async with desk() as at:
        at.quota = quota_at(tmp_path, at.time, Allowance(60, 2))
        await at.http.request("GET", "/subscriptions", api="subscriptions")
        assert at.time.slept == []
        await at.http.request("GET", "/subscriptions", api="subscriptions")
        assert sum(at.time.slept) > 60  # two tokens of two clients, and two calls
        at.usps.scripted = [Scripted(429)] * 9
        with pytest.raises(UspsUnavailable):
            await at.http.request("GET", "/subscriptions", api="subscriptions")


def test_two_processes_share_it_and_a_killed_one_leaves_it_whole(tmp_path: Path) -> None:
    """Together they take what one may, also after one died with -9 in the middle of it."""
    # 72,000 an hour: 20 a second after a burst of 20.
    command = [sys.executable, "-c", TAKER, str(tmp_path), "72000", "20"]

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    one, other = start(), start()
    try:
        assert one.stdout is not None
        taken = [float(one.stdout.readline()) for _ in range(20)]
        one.send_signal(signal.SIGKILL)
        taken += map(float, one.communicate()[0].splitlines())
        assert other.stdout is not None
        theirs = [float(other.stdout.readline()) for _ in range(40)]
        other.kill()
        theirs += map(float, other.communicate()[0].splitlines())
    finally:
        for process in (one, other):
            process.kill()
            process.wait()
    everything = sorted(taken + theirs)
    assert theirs
    # The bucket is a bound on any stretch: the burst and what it filled up by meanwhile.
    for at, first in enumerate(everything):
        for count, later in enumerate(everything[at:], start=1):
            assert count <= 20 + (later - first) * 20 + 2
    assert everything[-1] <= time() + 1
