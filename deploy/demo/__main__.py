"""python -m deploy.demo: everything on this machine, with a simulated USPS (`make run`)."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from deploy.broker import BrokerError
from deploy.demo.layout import Layout, Ports
from deploy.demo.once import given_prefix, once
from deploy.demo.processes import DemoError
from deploy.demo.programs import Load
from deploy.demo.screen import Screen
from deploy.demo.serve import serve
from schemas.errors import ScanwireError

_STEADY_RATE: Final = 20.0
_ONCE_RATE: Final = 400.0
_ONCE_SEED: Final = 20260401
_ONCE_PACKAGES: Final = 600


def main() -> int:
    """0 well (or ended by Ctrl-C), 1 something is wrong and was said, 2 usage."""
    given = _parser().parse_args()
    # What the client library mutters about a broker that has just started would tear the screen.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    screen = Screen(Console())
    try:
        return asyncio.run(_run(given, screen))
    except (DemoError, BrokerError) as error:
        print(error, file=sys.stderr)
    except ScanwireError as error:
        print(error.detail, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="a fixed set, checked; then end")
    parser.add_argument("--rate", type=_rate, help="callbacks per second (20; once: 400)")
    parser.add_argument("--seed", type=int, help="of the simulator (once: always the same)")
    parser.add_argument("--packages", type=int, metavar="N", help="how many (once: 600)")
    parser.add_argument(
        "--ports-from", type=int, metavar="PORT", help="use eight ports from this one on"
    )
    parser.add_argument("--data", type=Path, metavar="DIRECTORY", help="instead of .scanwire")
    return parser


def _rate(text: str) -> float:
    rate = float(text)
    if not rate > 0:
        raise argparse.ArgumentTypeError("a rate is above 0")
    return rate


async def _run(given: argparse.Namespace, screen: Screen) -> int:
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    layout = _layout(given)
    if given.once:
        load = Load(
            given.rate or _ONCE_RATE,
            _ONCE_SEED if given.seed is None else given.seed,
            given.packages or _ONCE_PACKAGES,
            hard=True,
        )
        return await once(layout.for_once(), load, given_prefix(os.environ), screen, asked)
    # Another seed each time: the numbers of a kept run would otherwise all be used again.
    seed = int(time.time()) if given.seed is None else given.seed
    load = Load(given.rate or _STEADY_RATE, seed, given.packages)
    return await serve(layout, load, screen, asked)


def _layout(given: argparse.Namespace) -> Layout:
    ports = Ports() if given.ports_from is None else Ports.beginning_at(given.ports_from)
    return Layout(ports=ports) if given.data is None else Layout(given.data.absolute(), ports)


if __name__ == "__main__":
    sys.exit(main())
