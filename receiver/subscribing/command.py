"""`scanwire-receiver subscriptions plan|apply|list`: USPS as the registry in force wants it.

The registry comes from Kafka, not from a file: running receivers must know a subscription and
its secrets before USPS hears of it.
"""

import argparse
import asyncio
import signal
import sys
from typing import Any, Final

import orjson

from receiver.feeds.background import Stopped, until_signal
from receiver.program import Tools
from receiver.subscribing.generate import can_be_made, make_secret
from receiver.subscribing.ground import InForce, open_ground, read_registry_log
from receiver.subscribing.listing import rows
from receiver.subscribing.reconcile import apply, plan
from receiver.subscribing.report import EXIT_REFUSED, Report, summary
from receiver.subscribing.targets import Targets, targets
from schemas.registry.entities import Subscription
from schemas.registry.index import Registry
from schemas.secrets import Secrets
from schemas.settings import Settings

# Running receivers look again for secrets that are missing, every second.
RECEIVERS_FOLLOW_SECONDS: Final = 2.0
_DESCRIPTION = """\
Makes USPS call us for what the registry in force declares (`scanwire-processors registry apply`
first). Callbacks that USPS sends before its answer has told us the new id are quarantined as
unknown_subscription; `scanwire-receiver quarantine resubmit` takes them in.
"""


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `subscriptions` and its three verbs."""
    subscriptions = commands.add_parser(
        "subscriptions", help="reconcile USPS's subscriptions with the registry in force"
    )
    verbs = subscriptions.add_subparsers(dest="verb", required=True, metavar="VERB")
    planned = verbs.add_parser(
        "plan", help="what apply would do; exits 2 if anything", description=_DESCRIPTION
    )
    planned.set_defaults(work=_planned)
    applied = verbs.add_parser(
        "apply", help="create, adopt, change, replace", description=_DESCRIPTION
    )
    applied.set_defaults(work=_applied)
    for verb in (planned, applied):
        verb.add_argument(
            "--delete", action="store_true", help="also delete ours that are declared no more"
        )
        verb.add_argument(
            "--generate-secrets",
            action="store_true",
            help="make file: secrets that do not exist; for their owner's eyes only, so run this "
            "as the receiver's user",
        )
    listed = verbs.add_parser("list", help="what lives at USPS, by its own word")
    listed.set_defaults(work=_listed)
    for verb in (planned, applied, listed):
        verb.add_argument("--json", action="store_true", help="one JSON document")
        verb.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    """The exit code; what a signal stops is stopped between two steps, and found again."""
    work = arguments.work(arguments, Tools.of(settings, secrets))
    try:
        return asyncio.run(until_signal(work))
    except Stopped as error:
        print("stopped; run it again to go on", file=sys.stderr)  # noqa: T201 -- operator's
        return 0 if error.number is signal.SIGTERM else EXIT_REFUSED


async def _planned(arguments: argparse.Namespace, tools: Tools) -> int:
    registry_log = await read_registry_log(tools)
    wanted = _targets(registry_log, tools, generate=arguments.generate_secrets)
    async with open_ground(tools, registry_log, writing=False, tell=_show_progress) as ground:
        report = await plan(
            wanted,
            ground,
            delete=arguments.delete,
            reference=lambda name: _newest_reference(registry_log.registry, name),
        )
    _tell(report, "to be done", as_json=arguments.json)
    return report.plan_exit_code()


async def _applied(arguments: argparse.Namespace, tools: Tools) -> int:
    registry_log = await read_registry_log(tools)
    async with open_ground(tools, registry_log, writing=True, tell=_show_progress) as ground:
        registry = registry_log.registry
        wanted = _targets(registry_log, tools, generate=arguments.generate_secrets)
        missing = [one.name for one in wanted.wanted.values() if one.secret is None]
        for name in missing:
            make_secret(_newest_reference(registry, name))
        if missing:
            await asyncio.sleep(RECEIVERS_FOLLOW_SECONDS)
            wanted = _targets(registry_log, tools, generate=False)
        report = await apply(wanted, ground, delete=arguments.delete)
    _tell(report, "done", as_json=arguments.json)
    return report.apply_exit_code()


async def _listed(arguments: argparse.Namespace, tools: Tools) -> int:
    registry_log = await read_registry_log(tools)
    # To look needs no secret.
    wanted = targets(registry_log.registry, tools.secrets, may_generate=lambda _: True)
    async with open_ground(tools, registry_log, writing=False, tell=_show_progress) as ground:
        found = await rows(wanted, ground)
    if arguments.json:
        _print_json({"subscriptions": [row.document() for row in found]})
    else:
        _print_lines([row.line() for row in found] or ["Nothing at USPS that we know of."])
    troubles = [f"{row.name or row.place.account}: {row.trouble}" for row in found if row.trouble]
    for trouble in troubles:
        print(trouble, file=sys.stderr)  # noqa: T201 -- the operator reads stderr
    return EXIT_REFUSED if troubles else 0


def _show_progress(name: str) -> None:
    """USPS allows few calls an hour, so that a minute may pass between two names."""
    if sys.stderr.isatty():
        print(f"asking USPS about {name}", file=sys.stderr)  # noqa: T201 -- the operator waits


def _targets(in_force: InForce, tools: Tools, *, generate: bool) -> Targets:
    return targets(
        in_force.registry,
        tools.secrets,
        may_generate=can_be_made if generate else lambda _: False,
        unread=in_force.unread,
    )


def _newest_reference(registry: Registry, name: str) -> str:
    declared = registry.get(Subscription.entity_kind, name)
    assert isinstance(declared, Subscription)
    return declared.secrets[0]


def _tell(report: Report, verb: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(report.document())
    else:
        _print_lines([*report.lines(), summary(report, verb)])
    for problem in report.problems():
        print(problem, file=sys.stderr)  # noqa: T201 -- the operator reads stderr


def _print_json(document: object) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def _print_lines(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
