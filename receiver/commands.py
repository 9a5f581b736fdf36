"""The commands of `scanwire-receiver`.

Each module has `add_to(commands)`, which adds its parser and sets the default `run`: a
function of the parsed arguments, the settings and the secrets that returns the exit code.
"""

import argparse
from typing import Any

from receiver import check, server
from receiver.feeds import backfill_command as backfill
from receiver.program import Tools
from receiver.quarantined import command as quarantined
from receiver.simulator import command as simulator
from receiver.subscribing import command as subscriptions
from receiver.usps import tokens_command as tokens
from receiver.workers import parent, worker
from schemas.command_line import AddTo
from schemas.secrets import Secrets
from schemas.settings import Settings


def add_serve(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """`serve`."""
    parser = commands.add_parser("serve", help="the listener and its admin port, until SIGTERM")
    parser.set_defaults(run=_serve)


def add_check(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """`check`."""
    parser = commands.add_parser(
        "check", help="settings, broker, topics, registry, disk: what is wrong and what to do"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=_check)


def add_worker(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """`worker`: what `serve` starts itself; no help lists it."""
    parser = commands.add_parser("worker")
    for name in ("number", "connections", "reports"):
        parser.add_argument(name, type=int)
    parser.set_defaults(run=_worker)


def _serve(_: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    run = parent.run if settings.receiver_workers > 1 else server.run
    return run(Tools.of(settings, secrets))


def _worker(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    tools = Tools.of(settings, secrets, arguments.number)
    return worker.run(tools, arguments.connections, arguments.reports)


def _check(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    return check.run(Tools.of(settings, secrets), as_json=arguments.json)


COMMANDS: tuple[AddTo, ...] = (
    add_serve,
    add_worker,
    simulator.add_to,
    quarantined.add_to,
    subscriptions.add_to,
    backfill.add_to,
    tokens.add_to,
    add_check,
)
