"""`scanwire-receiver backfill`: pull from the Tracking API into the stream."""

import argparse
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from receiver.feeds import backfill_job
from receiver.feeds.backfill_job import Wish
from receiver.program import Tools
from schemas.identifiers import is_mid
from schemas.registry.entities import When
from schemas.secrets import Secrets
from schemas.settings import Settings


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """`backfill`."""
    parser = commands.add_parser(
        "backfill",
        help="ask USPS's Tracking API for what callbacks missed",
        description="Asks USPS's Tracking API and publishes what it finds, as callbacks would "
        "have. A job that is stopped or killed goes on with the same command.",
    )
    wish = parser.add_mutually_exclusive_group(required=True)
    wish.add_argument("--mid", type=_mid, help="every open piece that is known of this MID")
    wish.add_argument("--tracking-number", nargs="+", metavar="N", help="these numbers")
    wish.add_argument("--file", type=Path, help="a number a line (of CSV: its first column)")
    parser.add_argument(
        "--since",
        type=_instant,
        help="with --mid: pieces under way at that time, an ISO date or time with zone",
    )
    parser.add_argument("--account", help="of usps_accounts; not needed if there is only one")
    parser.add_argument(
        "--anew", action="store_true", help="forget how far the same job came before"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="count the numbers and calls; ask nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document at the end")
    parser.set_defaults(run=partial(_run, parser))


def _run(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    settings: Settings,
    secrets: Secrets,
) -> int:
    if arguments.since is not None and arguments.mid is None:
        parser.error("--since goes with --mid only")
    wish = Wish(
        mid=arguments.mid,
        since=arguments.since,
        numbers=tuple(arguments.tracking_number or ()),
        file=arguments.file,
        account=arguments.account,
        anew=arguments.anew,
        dry_run=arguments.dry_run,
        as_json=arguments.json,
    )
    return backfill_job.run(Tools.of(settings, secrets), wish)


def _mid(text: str) -> str:
    if not is_mid(text):
        raise argparse.ArgumentTypeError("a MID has 6 digits starting 0-8, or 9 starting 9")
    return text


def _instant(text: str) -> datetime:
    try:
        instant: datetime = TypeAdapter(When).validate_python(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "write a date or a time with zone, e.g. 2026-05-01T00:00:00Z"
        ) from None
    return instant
