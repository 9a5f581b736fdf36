"""`destinations list|enable|resume`: where merchants' destinations stand, and getting them on."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from processors.administration import administration
from processors.commands.output import print_json, print_lines
from processors.deliver.operate import enable, resume
from processors.deliver.shared import Logs
from processors.deliver.standing import Standing, standings
from processors.program import Tools
from processors.registry.in_force import read_in_force
from schemas.errors import OperatorError
from schemas.registry.destinations import Destination


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `destinations` and its verbs."""
    destinations = commands.add_parser("destinations", help="where merchants' events go")
    verbs = destinations.add_subparsers(dest="verb", required=True, metavar="VERB")
    listed = verbs.add_parser("list", help="every destination's state and lag")
    listed.set_defaults(run=_list)
    enabled = verbs.add_parser("enable", help="deliver again to one that answered 410")
    enabled.set_defaults(run=_enable)
    resumed = verbs.add_parser("resume", help="go on behind records that no longer exist")
    resumed.add_argument(
        "--accept-loss",
        action="store_true",
        required=True,
        help="write the range down as lost, and begin behind it",
    )
    resumed.set_defaults(run=_resume)
    for verb in (enabled, resumed):
        verb.add_argument("destination", metavar="ID")
    for verb in (listed, enabled, resumed):
        verb.add_argument("--json", action="store_true", help="one JSON document")


def _list(arguments: argparse.Namespace, tools: Tools) -> int:
    found = asyncio.run(_standings(tools, None))
    if arguments.json:
        print_json({"destinations": [one.document() for one in found]})
    else:
        print_lines(one.line() for one in found)
    return 0


def _enable(arguments: argparse.Namespace, tools: Tools) -> int:
    [standing] = asyncio.run(_standings(tools, arguments.destination))
    disabled = standing.state == "gone"
    if disabled:
        asyncio.run(enable(tools.kafka, standing.destination.id, tools.clock))
    _say(
        arguments,
        {"destination": standing.destination.id, "was_gone": disabled},
        f"{standing.destination.id} is delivered to again."
        if disabled
        else f"{standing.destination.id} was not disabled by a 410.",
    )
    return 0


def _resume(arguments: argparse.Namespace, tools: Tools) -> int:
    [standing] = asyncio.run(_standings(tools, arguments.destination))
    if not standing.lost:
        raise OperatorError(
            "nothing_lost", f"{standing.destination.id} has lost no position; nothing to resume"
        )
    asyncio.run(resume(tools.kafka, standing.destination, standing.lost, tools.clock))
    ranges = [f"partition {o.partition.partition}: {o.first} to {o.last}" for o in standing.lost]
    _say(
        arguments,
        standing.document(),
        f"{standing.destination.id} goes on; written down as lost: {', '.join(ranges)}",
    )
    return 0


def _say(arguments: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    if arguments.json:
        print_json(document)
    else:
        print_lines([text])


async def _standings(tools: Tools, destination_id: str | None) -> Sequence[Standing]:
    """Of all destinations in force, or of one. Raises `OperatorError`: there is none such."""
    async with administration(tools.kafka) as admin:
        in_force = await read_in_force(tools.kafka, admin)
        wanted = [one for one in in_force.entities() if isinstance(one, Destination)]
        if destination_id is not None:
            wanted = [one for one in wanted if one.id == destination_id]
            if not wanted:
                raise OperatorError(
                    "no_such_destination",
                    f"destination {destination_id} is not in the registry; "
                    "`destinations list` shows all",
                )
        logs = Logs(tools.kafka)
        await logs.start()
        try:
            return await standings(wanted, in_force, tools.settings.topics, admin, logs)
        finally:
            await logs.stop()
