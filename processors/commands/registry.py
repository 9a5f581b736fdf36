"""`registry plan|apply|show`: who is who, and who may see what."""

import argparse
import asyncio
import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processors.administration import administration
from processors.commands.output import print_json, print_lines
from processors.program import Tools
from processors.registry.apply import Applied, apply_registry, plan_registry
from processors.registry.in_force import InForce, read_in_force
from processors.registry.load import Loaded, load
from processors.registry.show import as_registry_file, in_force_document, kind_of

EXIT_CHANGES = 2


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `registry` and its three verbs."""
    registry = commands.add_parser("registry", help="who is who, and who may see what")
    verbs = registry.add_subparsers(dest="verb", required=True, metavar="VERB")
    plan = verbs.add_parser("plan", help="what apply would change; exits 2 if anything")
    plan.set_defaults(run=_plan)
    apply = verbs.add_parser("apply", help="put the files' registry in force, all of it")
    apply.set_defaults(run=_apply)
    for verb in (plan, apply):
        verb.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help=".yaml, .json or .jsonl; merged"
        )
    show = verbs.add_parser("show", help="what is in force, as a registry file")
    show.add_argument("kind", nargs="?", metavar="KIND", help="e.g. merchants")
    show.add_argument("entity_id", nargs="?", metavar="ID")
    show.set_defaults(run=_show)
    for verb in (plan, apply, show):
        verb.add_argument("--json", action="store_true", help="one JSON document")


@contextmanager
def _without_collection() -> Iterator[None]:
    """A large registry is a million objects and none is garbage: looking took most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _load(arguments: argparse.Namespace, tools: Tools) -> Loaded:
    return load(arguments.files, tools.secrets, tools.settings)


def _plan(arguments: argparse.Namespace, tools: Tools) -> int:
    with _without_collection():
        loaded = _load(arguments, tools)
        plan = asyncio.run(plan_registry(loaded, tools.kafka))
    if arguments.json:
        print_json({**plan.document(), "warnings": loaded.warnings})
    else:
        print_lines(plan.lines())
        _warn(loaded.warnings)
    return EXIT_CHANGES if plan.changes else 0


def _apply(arguments: argparse.Namespace, tools: Tools) -> int:
    with _without_collection():
        loaded = _load(arguments, tools)
        applied = asyncio.run(apply_registry(loaded, tools.kafka, tools.clock))
    if arguments.json:
        print_json(applied.document())
    else:
        print_lines(_told(applied))
        _warn(applied.warnings)
    return 0


def _told(applied: Applied) -> Iterable[str]:
    for name in applied.topics_created:
        yield f"created topic {name}"
    for destination_id, start in applied.starts.items():
        offsets = ", ".join(f"{number}: {offset}" for number, offset in start.offsets.items())
        yield f"destination {destination_id} begins on {start.topic} at {offsets}"
    for group in applied.groups_deleted:
        yield f"deleted group {group}"
    plan = applied.plan
    if not plan.changes:
        yield plan.summary()
        return
    yield (
        f"{plan.count('added')} added, {plan.count('changed')} changed, "
        f"{plan.count('removed')} removed; revision {applied.revision} is in force now."
    )


def _show(arguments: argparse.Namespace, tools: Tools) -> int:
    kind = None if arguments.kind is None else kind_of(arguments.kind)
    document = in_force_document(asyncio.run(_read(tools)), kind, arguments.entity_id)
    if arguments.json:
        print_json(document)
    else:
        print_lines([as_registry_file(document).rstrip("\n")])
    return 0


async def _read(tools: Tools) -> InForce:
    async with administration(tools.kafka) as admin:
        return await read_in_force(tools.kafka, admin)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201 -- the operator reads stderr
