"""The whole way, from callback to merchant, at a steady open-loop rate."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

from benchmarks.figures import Figure
from benchmarks.load import write_requests
from benchmarks.machine import CpuTimes
from benchmarks.requests import prepared_requests
from benchmarks.site import Site
from deploy.programs import fetch

RATES = (200, 400, 800)
SECONDS = 12
SETTLE_SECONDS = 60.0
QUIET_LOOKS = 3


def pipeline_figures(place: Site) -> Iterator[Figure]:
    """All programs beside broker, load and merchant on this machine."""
    with ExitStack() as stack:
        merchant = ("benchmarks.merchant", str(place.merchant_port))
        stack.enter_context(place.helper(*merchant, port=place.merchant_port))
        for command in (("receiver", "serve"), *_PROCESSORS):
            stack.enter_context(place.running(*command))
        _settled(place)
        for seed, rate in enumerate(RATES):
            yield _at(place, rate, seed)


_PROCESSORS = (("processors", "packages"), ("processors", "router"), ("processors", "sinks"))


def _at(place: Site, rate: int, seed: int) -> Figure:
    requests = place.directory / f"pipeline-{rate}"
    now = datetime.now(UTC)
    count = rate * SECONDS
    prepared = prepared_requests(place.subscriber(), count * (seed + 2), now)[-count:]
    write_requests(requests, prepared)
    before = CpuTimes.now()
    taken = place.load(requests, place.receiver_port, "open", str(rate), str(SECONDS))
    stats = _settled(place)
    steal = CpuTimes.now().steal_share_since(before)
    return Figure(
        f"pipeline at {rate:,} callbacks/s, callback to merchant, p99",
        stats["p99_ms"],
        "ms",
        steal=steal,
        note=f"p50 {stats['p50_ms']:.0f} ms; {stats['count']:,} delivered; "
        f"callbacks p99 {taken['p99_ms']:.0f} ms",
    )


def _settled(place: Site) -> dict[str, float]:
    """Waits until nothing arrives any more, tells what did, and begins anew."""
    address = f"http://127.0.0.1:{place.merchant_port}"
    deadline = time.monotonic() + SETTLE_SECONDS
    count, quiet = -1, 0
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        time.sleep(1.0)
        now = json.loads(fetch(f"{address}/stats"))["count"]
        quiet, count = (quiet + 1 if now == count else 0), now
    stats: dict[str, float] = json.loads(fetch(f"{address}/stats"))
    fetch(f"{address}/reset")
    return stats
