"""Packages, router and the http sink: a backlog worked off, per core of the program."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise

from benchmarks.figures import Figure
from benchmarks.load import write_requests
from benchmarks.machine import CpuTimes, cpu_seconds, resident_megabytes
from benchmarks.requests import prepared_requests
from benchmarks.site import Site
from deploy.programs import Program

QUIET_SECONDS = 4.0
LIMIT_SECONDS = 180.0
BACKLOG = 40_000
FILL_RATE = "2500"


def processing_figures(place: Site) -> Iterator[Figure]:
    """Each program finds what the one before it left, and nothing else runs beside it."""
    _fill(place)
    yield from _worked_off(
        place, ("processors", "packages"), "usps_packages_updates_total", "updates", 6_000
    )
    yield from _worked_off(
        place, ("processors", "router"), "usps_router_events_total", "events", 12_000
    )
    with place.helper("benchmarks.merchant", str(place.merchant_port), port=place.merchant_port):
        yield from _worked_off(
            place, ("processors", "sinks"), "usps_sink_deliveries_total", "deliveries", 2_000
        )


def _fill(place: Site) -> None:
    requests = place.directory / "backlog"
    write_requests(requests, prepared_requests(place.subscriber(), BACKLOG, datetime.now(UTC)))
    seconds = str(BACKLOG / float(FILL_RATE))
    with place.running("receiver", "serve"):
        place.load(requests, place.receiver_port, "open", FILL_RATE, seconds)


def _worked_off(
    place: Site, command: tuple[str, str], metric: str, unit: str, goal: float
) -> Iterator[Figure]:
    before = CpuTimes.now()
    with ExitStack() as stack:
        program = stack.enter_context(place.running(*command))
        rows = _samples(program, metric)
        memory = resident_megabytes(program.pid)
    steal = CpuTimes.now().steal_share_since(before)
    done = rows[-1][2] - rows[0][2]
    if done < BACKLOG / 20:
        raise RuntimeError(f"{command[1]} worked off {done:.0f} {unit} only")
    wall = _fastest(rows)
    cpu = rows[-1][1] - rows[0][1]
    name = command[1]
    yield Figure(f"{name}, per core", done / cpu, f"{unit}/s", at_least=goal, steal=steal)
    yield Figure(
        f"{name}, on the clock", wall, f"{unit}/s", steal=steal, note=f"{memory:.0f} MB resident"
    )


def _samples(program: Program, metric: str) -> list[tuple[float, float, float]]:
    """(clock, CPU seconds, count) twice a second, until the count rests; the rest is cut off."""
    rows: list[tuple[float, float, float]] = []
    began = time.monotonic()
    while (now := time.monotonic()) - began < LIMIT_SECONDS:
        rows.append((now, cpu_seconds(program.pid), program.metric(metric)))
        resting = [row for row in rows if row[2] == rows[-1][2]]
        if rows[-1][2] > 0 and now - resting[0][0] > QUIET_SECONDS:
            started = [row for row in rows if row[2] < rows[-1][2]]
            return [*started, resting[0]]
        time.sleep(0.25)
    return rows


def _fastest(rows: list[tuple[float, float, float]]) -> float:
    """The median rate of the intervals in which it worked."""
    rates = sorted(
        (after[2] - before[2]) / (after[0] - before[0])
        for before, after in pairwise(rows)
        if after[2] > before[2]
    )
    return rates[len(rates) // 2] if rates else 0.0
