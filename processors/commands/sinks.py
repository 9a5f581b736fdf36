"""`sinks` and `sink ID`: hand merchants' events over to their destinations."""

import argparse
from typing import Any

import uvloop

from processors.deliver.declaration import in_shard
from processors.deliver.service import SinksService
from processors.deliver.supervisor import Ours
from processors.program import Tools, run_service

ADMIN_PORT = 9103


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's sub-parsers have no public type
    """Adds both parsers."""
    all_of_them = commands.add_parser(
        "sinks",
        help="deliver to every enabled destination",
        description="Delivers to every enabled destination, until SIGTERM.",
    )
    all_of_them.add_argument(
        "--shard",
        type=_shard,
        default=(1, 1),
        metavar="N/M",
        help="only the Nth of M parts of the destinations, e.g. 2/4",
    )
    all_of_them.set_defaults(run=_run_sinks)
    one = commands.add_parser(
        "sink",
        help="deliver to one destination",
        description="Delivers to one destination, alone or beside `sinks`, until SIGTERM.",
    )
    one.add_argument("destination", metavar="ID", help="the destination's id in the registry")
    one.set_defaults(run=_run_sink)


def _run_sinks(arguments: argparse.Namespace, tools: Tools) -> int:
    return _run(tools, "sinks", lambda known: in_shard(known, arguments.shard))


def _run_sink(arguments: argparse.Namespace, tools: Tools) -> int:
    only = arguments.destination
    return _run(tools, "sink", lambda known: known == only, only)


def _run(tools: Tools, name: str, ours: Ours, only: str | None = None) -> int:
    uvloop.run(_serve(tools, name, ours, only))
    return 0


async def _serve(tools: Tools, name: str, ours: Ours, only: str | None) -> None:
    await run_service(SinksService(tools, ours, only), tools, name, ADMIN_PORT)


def _shard(text: str) -> tuple[int, int]:
    number, slash, shards = text.partition("/")
    if not (slash and number.isdigit() and shards.isdigit() and 1 <= int(number) <= int(shards)):
        raise argparse.ArgumentTypeError("a shard is N/M with 1 <= N <= M, e.g. 2/4")
    return int(number), int(shards)
