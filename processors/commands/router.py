"""`router`: scan events to the topics of those who may see them."""

import argparse
from typing import Any, Final

import uvloop

from processors.program import Tools, run_service
from processors.router.service import Router

ADMIN_PORT: Final = 9102


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `router`."""
    router = commands.add_parser("router", help="route scan events to those who may see them")
    router.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, tools: Tools) -> int:
    del arguments
    uvloop.run(_route(tools))
    return 0


async def _route(tools: Tools) -> None:
    await run_service(Router(tools), tools, "router", ADMIN_PORT)
