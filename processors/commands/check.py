"""`check`: settings, broker, topics, registry, disk: what is wrong and what to do."""

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from processors.check import Finding, findings, settings_in_force
from processors.commands.output import print_json, print_lines
from processors.program import Tools
from schemas.settings import describe


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """Adds `check`."""
    check = commands.add_parser(
        "check", help="settings, broker, topics, registry, disk: what is wrong and what to do"
    )
    check.add_argument("--json", action="store_true", help="one JSON document")
    check.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, tools: Tools) -> int:
    settings = settings_in_force(tools.settings)
    found = asyncio.run(findings(tools))
    if arguments.json:
        print_json({"settings": settings, "findings": [asdict(finding) for finding in found]})
    else:
        print_lines(_told(settings, found))
    return 0 if all(finding.well for finding in found) else 1


def _told(settings: Mapping[str, str], found: Sequence[Finding]) -> Iterator[str]:
    for name, default, meaning in describe():
        yield f"{name}={settings[name]}  # {meaning} Default: {default or 'none'}."
    yield ""
    for finding in found:
        yield f"{'ok   ' if finding.well else 'WRONG'} {finding.subject}: {finding.detail}"
