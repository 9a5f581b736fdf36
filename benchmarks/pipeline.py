"""The whole way, from callback to merchant, at a steady open-loop rate."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.load import write_requests
from benchmarks.machine import CpuTimes
from benchmarks.requests import prepared_requests
from benchmarks.site import Site
from deploy.programs import fetch

RATES = (200, 400, 800)
SECONDS = 12
WARM_RATE = 300
WARM_SECONDS = 30
SETTLE_SECONDS = 60.0
QUIET_LOOKS = 3


def pipeline_figures(place: Site) -> Iterator[Figure]:
    """All programs beside broker, load and merchant on this machine."""
    prepared = iter(_prepared(place))
    with ExitStack() as stack:
        merchant = ("benchmarks.merchant", str(place.merchant_port))
        stack.enter_context(place.helper(*merchant, port=place.merchant_port))
        for command in _PROGRAMS:
            stack.enter_context(place.running(*command))
        # Java compiles what is used often: a broker that has just started is no yardstick.
        place.load(next(prepared), place.receiver_port, "open", str(WARM_RATE), str(WARM_SECONDS))
        _settled(place)
        for rate, requests in zip(RATES, prepared, strict=True):
            yield _at(place, rate, requests)


_PROGRAMS = (
    ("receiver", "serve"),
    ("processors", "packages"),
    ("processors", "router"),
    ("processors", "sinks"),
)


def _prepared(place: Site) -> list[Path]:
    """A file of requests per load; no callback stands in two of them."""
    counts = [WARM_RATE * WARM_SECONDS, *(rate * SECONDS for rate in RATES)]
    requests = prepared_requests(place.subscriber(), sum(counts), datetime.now(UTC))
    files = []
    for index, count in enumerate(counts):
        path = place.directory / f"pipeline-{index}"
        write_requests(path, requests[:count])
        del requests[:count]
        files.append(path)
    return files


def _at(place: Site, rate: int, requests: Path) -> Figure:
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
