"""What `scanwire-receiver simulate` is told on the command line."""

import argparse
from pathlib import Path
from typing import Any, Final

from receiver.simulator import oddities
from receiver.simulator.apis.oddities import described
from receiver.simulator.apis.quota import CALLS_PER_HOUR
from receiver.simulator.apis.serve import LOOPBACK
from receiver.simulator.apis.usps import CLIENT_ID, CLIENT_SECRET

_LARGEST_PORT: Final = 65_535
_DESCRIPTION: Final = """\
USPS in a box: pushes callbacks of plausible package journeys for the subscriptions of registry
files. It is deterministic by seed, but for the times, which end now.

With --serve it also speaks USPS's OAuth 3, Subscriptions v3r2 and Tracking v3r2 APIs, as
GET /usps.yaml there says. Clients are the registry's accounts with `environment: simulator`;
without any, client id {client_id} with secret {client_secret}. A merchant's sign-in is
GET /oauth2/v3/authorize?client_id=…&response_type=code&redirect_uri=…, which answers the code.
Subscriptions created there are called at their listenerURL; lookups tell each package's history
so far. It serves until a signal, or the end of --duration."""
_EPILOG: Final = "--oddities of the APIs; none unless asked for:\n"


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401 -- argparse's own type is private
    """The parser of `simulate`, still without what it runs."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="USPS in a box: its APIs, and signed callbacks of plausible package journeys",
        description=_DESCRIPTION.format(
            client_id=CLIENT_ID, client_secret=CLIENT_SECRET.get_secret_value()
        ),
        epilog=_EPILOG + described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_callbacks(parser)
    _add_pace(parser)
    _add_apis(parser)
    return parser


def _add_callbacks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--registry",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="as for `apply`; may be left out with --serve",
    )
    parser.add_argument(
        "--to",
        metavar="URL",
        help="where all callbacks go; default: this machine's listener for the registry's "
        "subscriptions, their listenerURL for those created at --serve",
    )
    parser.add_argument("--packages", type=int, metavar="N", help="default: without end")
    parser.add_argument("--seed", type=int, default=1, help="(1)")
    parser.add_argument("--faults", default="some", help="none, some (default) or kind=share,…")
    parser.add_argument(
        "--odd", choices=sorted(oddities.PRESETS), default="usual", help="odd journeys (usual)"
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="JSON Lines: all sent, answered and true"
    )
    parser.add_argument(
        "--retries",
        metavar="SECONDS,…",
        help="delays before each further attempt, or none (1,2,4,8,15,30,60)",
    )
    parser.add_argument(
        "--retry-on",
        metavar="STATUS,…",
        help="answers after which there is a further attempt (429,503,no_answer)",
    )


def _add_pace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=_positive, default=20.0, help="callbacks per second (20)")
    parser.add_argument("--duration", type=_positive, metavar="SECONDS", help="then stop")
    parser.add_argument("--burst", type=int, default=0, metavar="N", help="so many at once, and")
    parser.add_argument(
        "--burst-every", type=_positive, default=10.0, metavar="SECONDS", help="how often (10)"
    )
    parser.add_argument(
        "--prebuild",
        type=int,
        default=0,
        metavar="N",
        help="make so many callbacks before the first is sent: for high rates (0)",
    )
    parser.add_argument("--connections", type=int, default=256, help="most in flight (256)")


def _add_apis(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--serve", type=_address, metavar="[HOST:]PORT", help=f"serve the APIs there ({LOOPBACK})"
    )
    parser.add_argument(
        "--oddities", default="none", metavar="NAME,…", help="of the APIs: none, all or names"
    )
    parser.add_argument(
        "--clock-speed",
        type=_positive,
        default=1.0,
        metavar="N",
        help="the days of idle-deletion pass N times as fast (1); 86400: a day a second",
    )
    parser.add_argument(
        "--calls-per-hour",
        type=_at_least_one,
        default=CALLS_PER_HOUR,
        metavar="N",
        help=f"the quota of each client, for the 429s ({CALLS_PER_HOUR})",
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError("write PORT or HOST:PORT")
    return host or LOOPBACK, int(port)
