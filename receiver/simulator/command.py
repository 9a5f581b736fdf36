"""`scanwire-receiver simulate`: USPS in a box."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from receiver.simulator import faults, oddities
from receiver.simulator.apis.oddities import parse_oddities
from receiver.simulator.apis.usps import Terms
from receiver.simulator.arguments import add_parser
from receiver.simulator.box import Plan, UspsInABox, usps_in_a_box
from receiver.simulator.drive import Pace, drive
from receiver.simulator.retries import parse_retries
from receiver.simulator.site import read_site
from receiver.simulator.truth import Tally, Truth, summary
from schemas.clock import Clock, SystemClock
from schemas.errors import OperatorError
from schemas.secrets import Secrets
from schemas.settings import Settings

log = structlog.get_logger(__name__)

EXIT_UNEXPECTED: Final = 1
_GARBAGE_THRESHOLD: Final = 100_000
_ACTIVE: Final = (50, 20_000)
_PROGRESS_SECONDS: Final = 10.0
_SWEEP_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 120.0
_SETTLE_STOPPED_SECONDS: Final = 3.0


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `simulate`."""
    add_parser(commands).set_defaults(run=run)


def run(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    """Pushes until a signal comes (0) or all is told; 1 if an answer was not as it must be."""
    # Journeys under way are many and live long: looking through them again and again only costs.
    gc.set_threshold(_GARBAGE_THRESHOLD)
    clock = SystemClock()
    plan = _plan(arguments, settings, secrets, clock)
    if arguments.record is not None:
        _make_directory(arguments.record.parent)
    with Truth(arguments.record) as truth:
        stopped = uvloop.run(_simulate(arguments, plan, truth, clock))
    as_expected = _report(truth.tally)
    return 0 if stopped or as_expected else EXIT_UNEXPECTED


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "record_unwritable", f"--record: cannot make {directory} ({error.strerror})"
        ) from None


def _plan(
    arguments: argparse.Namespace, settings: Settings, secrets: Secrets, clock: Clock
) -> Plan:
    listener = f"http://{settings.receiver_host}:{settings.receiver_port}/usps/tracking"
    url = arguments.to or listener
    site = read_site(arguments.registry, secrets, url, clock.now())
    if not site.subscriptions and arguments.serve is None:
        raise OperatorError(
            "no_subscription",
            "the registry files (--registry) hold no subscription with an id: USPS would call "
            "nobody. Give one an id, e.g. id: 0190aa11-2b3c-7d4e-8f50-61728394a5b6, or --serve "
            "the APIs and create one there",
        )
    fewest, most = _ACTIVE
    return Plan(
        terms=Terms(
            clients=site.clients,
            mids=site.mids,
            oddities=parse_oddities(arguments.oddities),
            calls_per_hour=arguments.calls_per_hour,
            clock_speed=arguments.clock_speed,
        ),
        subscriptions=site.subscriptions,
        shippers=site.shippers if arguments.serve is not None else site.subscribed,
        seed=arguments.seed,
        packages=arguments.packages,
        active=min(most, max(fewest, int(arguments.rate))),
        rates=oddities.PRESETS[arguments.odd],
        faults=faults.parse_rates(arguments.faults),
        url=url,
        all_to_it=arguments.to is not None,
        retries=parse_retries(arguments.retries, arguments.retry_on),
        connections=arguments.connections,
    )


async def _simulate(arguments: argparse.Namespace, plan: Plan, truth: Truth, clock: Clock) -> bool:
    """Whether a signal ended it."""
    pace = Pace(arguments.rate, arguments.duration, arguments.burst, arguments.burst_every)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serves = arguments.serve is not None
    async with _box(arguments, plan, truth, clock) as box:
        log.info(
            "simulation_started",
            url=plan.url,
            rate=pace.rate,
            seed=plan.seed,
            apis=box.base_url or None,
        )
        beside = [asyncio.create_task(_tell_progress(box)), asyncio.create_task(_sweep(box))]
        box.prepare(arguments.prebuild)
        await drive(box.step, box.pushers, pace, clock, stop, waits=serves)
        await _settle(box, stop)
        for task in beside:
            task.cancel()
        return stop.is_set()


@asynccontextmanager
async def _box(
    arguments: argparse.Namespace, plan: Plan, truth: Truth, clock: Clock
) -> AsyncIterator[UspsInABox]:
    if arguments.serve is None:
        yield UspsInABox(plan, clock, truth)
        return
    host, port = arguments.serve
    async with usps_in_a_box(plan, clock, host=host, port=port, truth=truth) as box:
        yield box


async def _settle(box: UspsInABox, stop: asyncio.Event) -> None:
    """Lets answers and second attempts come; a signal shortens the wait."""
    if not stop.is_set():
        settling = asyncio.create_task(box.pushers.settle(_SETTLE_SECONDS))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((settling, stopping), return_when=asyncio.FIRST_COMPLETED)
        settling.cancel()
        stopping.cancel()
    await box.pushers.settle(_SETTLE_STOPPED_SECONDS)


async def _tell_progress(box: UspsInABox) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        tally = box.truth.tally
        log.info(
            "simulation_progressed",
            sent=tally.sent,
            unsettled=box.pushers.unsettled,
            unexpected=tally.unexpected,
            retried=tally.retried,
        )


async def _sweep(box: UspsInABox) -> None:
    """Idle subscriptions end although nobody calls the APIs."""
    while True:
        box.usps.traffic.sweep()
        await asyncio.sleep(_SWEEP_SECONDS)


def _report(tally: Tally) -> bool:
    """Says what was answered; whether all of it was as it must be."""
    counts = summary(tally)
    log.info("simulation_ended", **counts)
    told = ", ".join(f"{slug} {count}" for slug, count in sorted(counts["answers"].items()))
    print(f"{tally.sent} callbacks of {tally.journeys} packages: {told or 'none'}")  # noqa: T201
    if tally.unexpected:
        print(  # noqa: T201 -- the operator reads stderr
            f"{tally.unexpected} answers were not what they must be; --record FILE tells which",
            file=sys.stderr,
        )
    return not tally.unexpected
