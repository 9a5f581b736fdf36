"""The receiver against a bare uvicorn application: closed loop, then open loop."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import Figure
from benchmarks.load import write_requests
from benchmarks.machine import CpuTimes, cpu_seconds
from benchmarks.requests import prepared_requests
from benchmarks.site import Site
from deploy.broker import free_port

CONNECTIONS = "128"
SECONDS = "6"
REQUESTS = 30_000
OPEN_RATES = (1_500, 3_000, 4_500)
ROUNDS = 3


def receiver_figures(place: Site) -> Iterator[Figure]:
    """Runs of both in turn, so that the neighbours' load meets both."""
    requests = place.directory / "requests"
    write_requests(requests, prepared_requests(place.subscriber(), REQUESTS, datetime.now(UTC)))
    bare_rates, rates, costs = [], [], []
    before = CpuTimes.now()
    bare_port = free_port(place.ports)
    with (
        place.helper("benchmarks.bare", str(bare_port), port=bare_port) as bare,
        place.running("receiver", "serve") as receiver,
    ):
        for _ in range(ROUNDS):
            bare_rates.append(_closed(place, requests, bare_port, bare.pid)[0])
            rate, cost = _closed(place, requests, place.receiver_port, receiver.pid)
            rates.append(rate)
            costs.append(cost)
        steal = CpuTimes.now().steal_share_since(before)
        rate, bare_rate = median(rates), median(bare_rates)
        yield Figure("bare uvicorn, closed loop", bare_rate, "/s", steal=steal)
        yield Figure("receiver, closed loop", rate, "callbacks/s", steal=steal)
        yield Figure("receiver / bare uvicorn", rate / bare_rate, "", at_least=0.45, steal=steal)
        yield Figure(
            "receiver, CPU per 1,000 callbacks", median(costs), "s", at_most=0.22, steal=steal
        )
        for open_rate in OPEN_RATES:
            yield _open(place, requests, open_rate)


def _closed(place: Site, requests: Path, port: int, pid: int) -> tuple[float, float]:
    """Answers per second, and CPU seconds per 1,000 of them."""
    cpu = cpu_seconds(pid)
    figures = place.load(requests, port, "closed", CONNECTIONS, SECONDS)
    _all_taken(figures)
    return figures["rate"], (cpu_seconds(pid) - cpu) / figures["answers"] * 1000


def _open(place: Site, requests: Path, rate: int) -> Figure:
    before = CpuTimes.now()
    figures = place.load(requests, place.receiver_port, "open", str(rate), SECONDS)
    steal = CpuTimes.now().steal_share_since(before)
    _all_taken(figures)
    return Figure(
        f"receiver, open loop at {rate:,}/s, p99",
        figures["p99_ms"],
        "ms",
        at_most=100 if rate <= OPEN_RATES[1] else None,
        steal=steal,
        note=f"p50 {figures['p50_ms']:.1f} ms; {figures['rate']:,.0f}/s answered",
    )


def _all_taken(figures: dict[str, Any]) -> None:
    refused = {status: n for status, n in figures["statuses"].items() if status != "200"}
    if refused:
        raise RuntimeError(f"the listener refused what it should take: {refused}")
