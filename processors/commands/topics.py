"""`topics`: creates or checks every topic."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from typing import Any

from processors.administration import administration
from processors.commands.output import print_json, print_lines
from processors.program import Tools
from processors.registry.in_force import read_in_force
from processors.topics import TopicReport, ensure_topics
from schemas.registry.entities import Merchant
from schemas.topics import core_topics, merchant_topics


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `topics`."""
    topics = commands.add_parser("topics", help="create or check every topic")
    topics.add_argument("--json", action="store_true", help="one JSON document")
    topics.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, tools: Tools) -> int:
    report = asyncio.run(_ensure(tools))
    if arguments.json:
        print_json(report.document())
    else:
        print_lines(_told(report))
    for text in (*report.problems, *_warnings(report)):
        print(text, file=sys.stderr)  # noqa: T201 -- the operator reads stderr
    return 1 if report.problems else 0


async def _ensure(tools: Tools) -> TopicReport:
    """The core topics, and those of the merchants in force."""
    names = tools.settings.topics
    async with administration(tools.kafka) as admin:
        core = await ensure_topics(admin, core_topics(names), tools.settings)
        if core.problems:
            return core
        registry = (await read_in_force(tools.kafka, admin)).registry
        merchants = (one for one in registry.all("merchant") if isinstance(one, Merchant))
        specs = merchant_topics(names, {one.id: one.partitions for one in merchants})
        return core.and_also(await ensure_topics(admin, list(specs), tools.settings))


def _warnings(report: TopicReport) -> Iterator[str]:
    for doubt in (*report.unsafe, *report.warnings):
        yield f"warning: {doubt}"


def _told(report: TopicReport) -> Iterator[str]:
    created = set(report.created)
    for name, partitions in report.partitions.items():
        yield f"{'created' if name in created else 'exists '}  {name}  {partitions} partitions"
