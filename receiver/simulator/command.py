"""`scanwire-receiver simulate`: USPS in a box."""

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from receiver.simulator import faults, oddities
from receiver.simulator.callbacks import by_shipper
from receiver.simulator.drive import Pace, drive
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.push import Pusher
from receiver.simulator.seeded import seeded
from receiver.simulator.stream import CallbackStream
from receiver.simulator.subscribers import read_subscribers, shippers_of
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
_SETTLE_SECONDS: Final = 120.0
_SETTLE_STOPPED_SECONDS: Final = 3.0


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse keeps the type to itself
    """Adds `simulate`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="USPS in a box: signed callbacks of plausible package journeys",
        description="Pushes callbacks for the subscriptions of registry files. It is "
        "deterministic by seed, but for the times, which end now.",
    )
    parser.add_argument(
        "--registry", type=Path, nargs="+", required=True, metavar="FILE", help="as for `apply`"
    )
    parser.add_argument("--to", metavar="URL", help="default: this machine's listener")
    parser.add_argument("--rate", type=_positive, default=20.0, help="callbacks per second (20)")
    parser.add_argument("--packages", type=int, metavar="N", help="default: without end")
    parser.add_argument("--duration", type=_positive, metavar="SECONDS", help="then stop")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    parser.add_argument("--faults", default="some", help="none, some (default) or kind=share,…")
    parser.add_argument(
        "--odd", choices=sorted(oddities.PRESETS), default="usual", help="odd journeys (usual)"
    )
    parser.add_argument("--burst", type=int, default=0, metavar="N", help="so many at once, and")
    parser.add_argument("--burst-every", type=_positive, default=10.0, metavar="SECONDS")
    parser.add_argument("--connections", type=int, default=256, help="most in flight (256)")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="JSON Lines: all sent, answered and true"
    )
    parser.set_defaults(run=run)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def run(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    """Pushes until all is told or a signal comes; 1 if an answer was not as it must be."""
    # Journeys under way are many and live long: looking through them again and again only costs.
    gc.set_threshold(_GARBAGE_THRESHOLD)
    if arguments.record is not None:
        _make_directory(arguments.record.parent)
    with Truth(arguments.record) as truth:
        uvloop.run(_simulate(arguments, settings, secrets, truth, SystemClock()))
    return _report(truth.tally)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "record_unwritable", f"--record: cannot make {directory} ({error.strerror})"
        ) from None


async def _simulate(
    arguments: argparse.Namespace,
    settings: Settings,
    secrets: Secrets,
    truth: Truth,
    clock: Clock,
) -> None:
    url = arguments.to or (
        f"http://{settings.receiver_host}:{settings.receiver_port}/usps/tracking"
    )
    stream = _stream(arguments, secrets, truth, clock)
    pusher = Pusher(url, truth.answered, arguments.connections)
    pace = Pace(arguments.rate, arguments.duration, arguments.burst, arguments.burst_every)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("simulation_started", url=url, rate=arguments.rate, seed=arguments.seed)
    progress = asyncio.create_task(_tell_progress(truth.tally, pusher))
    await drive(stream, pusher, pace, clock, stop)
    await _settle(pusher, stop)
    progress.cancel()


def _stream(
    arguments: argparse.Namespace, secrets: Secrets, truth: Truth, clock: Clock
) -> CallbackStream:
    subscribers = read_subscribers(arguments.registry, secrets)
    maker = JourneyMaker(
        arguments.seed, shippers_of(subscribers), clock.now(), oddities.PRESETS[arguments.odd]
    )
    fewest, most = _ACTIVE
    return CallbackStream(
        maker.journeys(arguments.packages),
        by_shipper(subscribers),
        seeded(arguments.seed, "stream"),
        faults.parse_rates(arguments.faults),
        active=min(most, max(fewest, int(arguments.rate))),
        on_journey=truth.journey,
    )


async def _settle(pusher: Pusher, stop: asyncio.Event) -> None:
    """Lets answers and second attempts come; a signal shortens the wait."""
    if not stop.is_set():
        settling = asyncio.create_task(pusher.settle(_SETTLE_SECONDS))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((settling, stopping), return_when=asyncio.FIRST_COMPLETED)
        settling.cancel()
        stopping.cancel()
    await pusher.settle(_SETTLE_STOPPED_SECONDS)


async def _tell_progress(tally: Tally, pusher: Pusher) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        log.info(
            "simulation_progressed",
            sent=tally.sent,
            unsettled=pusher.unsettled,
            unexpected=tally.unexpected,
            retried=tally.retried,
        )


def _report(tally: Tally) -> int:
    counts = summary(tally)
    log.info("simulation_ended", **counts)
    told = ", ".join(f"{slug} {count}" for slug, count in sorted(counts["answers"].items()))
    print(f"{tally.sent} callbacks of {tally.journeys} packages: {told or 'none'}")  # noqa: T201
    if tally.unexpected:
        print(  # noqa: T201 -- the operator reads stderr
            f"{tally.unexpected} answers were not what they must be; --record FILE tells which",
            file=sys.stderr,
        )
        return EXIT_UNEXPECTED
    return 0
