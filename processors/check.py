"""What is wrong with the surroundings of the processors, and what to do."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from processors.administration import administration
from processors.program import Tools
from processors.registry.in_force import InForce, read_in_force
from processors.registry.secret_checks import references
from processors.topics import TopicReport, check_topics
from schemas.errors import OperatorError
from schemas.registry.entities import Merchant
from schemas.secrets import Secrets, SecretUnavailable
from schemas.settings import PREFIX, Settings, describe
from schemas.topics import TopicSpec, core_topics, merchant_topics

_REMEDY: Final = "run `scanwire-processors registry apply FILE`"
# The state of a hundred thousand pieces, about; below it a write may fail at any time.
MIN_FREE_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `detail` says how it is, or what is wrong and what to do."""

    subject: str
    well: bool
    detail: str


async def findings(tools: Tools) -> list[Finding]:
    """Broker, topics, registry and disk: each only if what it stands on is well."""
    found: list[Finding] = []
    try:
        async with administration(tools.kafka) as admin:
            servers = tools.settings.kafka_bootstrap_servers
            found.append(Finding("broker", True, f"{servers} answers"))
            found += await _kafka_findings(tools, admin)
    except OperatorError as error:
        found.append(Finding("broker", False, error.detail))
    return [*found, disk_finding(tools.settings.state_directory)]


def settings_in_force(settings: Settings) -> dict[str, str]:
    """By variable. Secrets are references, so nothing needs to be hidden."""
    values = settings.model_dump(mode="json")
    return {name: _text(values[name.removeprefix(PREFIX).lower()]) for name, _, _ in describe()}


def _text(value: object) -> str:
    if value is None:
        return ""
    return ",".join(f"{one:g}" for one in value) if isinstance(value, list) else str(value)


async def _kafka_findings(tools: Tools, admin: AIOKafkaAdminClient) -> list[Finding]:
    names = tools.settings.topics
    in_force = await read_in_force(tools.kafka, admin)
    merchants = [one for one in in_force.registry.all("merchant") if isinstance(one, Merchant)]
    specs = [
        *core_topics(names),
        *merchant_topics(names, {one.id: one.partitions for one in merchants}),
    ]
    report = await check_topics(admin, specs, tools.settings)
    return [*_topic_findings(specs, report), *registry_findings(in_force, tools.secrets)]


def _topic_findings(specs: Sequence[TopicSpec], report: TopicReport) -> Iterator[Finding]:
    missing = [spec.name for spec in specs if spec.name not in report.partitions]
    if missing:
        remedy = f"{_REMEDY}, or `scanwire-processors topics`"
        yield Finding("topics", False, f"missing: {', '.join(missing)}; {remedy}")
    for problem in (*report.problems, *report.unsafe):
        yield Finding("topics", False, problem)
    if not (missing or report.problems or report.unsafe):
        yield Finding("topics", True, f"all {len(specs)} are there")
    for doubt in report.warnings:
        yield Finding("topics", True, f"on purpose? {doubt}")


def registry_findings(in_force: InForce, secrets: Secrets) -> list[Finding]:
    """The revision, what of it cannot be read, and the destinations' secrets."""
    if in_force.revision == 0:
        return [Finding("registry", False, f"nothing was ever applied; {_REMEDY}")]
    found = [Finding("registry", True, f"revision {in_force.revision} is in force")]
    if in_force.unread():
        detail = f"not readable: {', '.join(in_force.unread())}; run the version that wrote them"
        found.append(Finding("registry", False, detail))
    # Only these: subscriptions' and accounts' secrets are the receiver's.
    for destination in in_force.registry.all("destination"):
        for _, reference in references(destination):
            try:
                secrets.resolve(reference)
            except SecretUnavailable as error:
                detail = f"{error.detail}; set it where the processors run"
                found.append(Finding(destination.key, False, detail))
    return found


def disk_finding(directory: Path) -> Finding:
    """Whether the state directory, or the one it will be made in, can be written to."""
    subject = f"disk at {directory}"
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        detail = f"{existing} cannot be written to; correct {PREFIX}STATE_DIRECTORY"
        return Finding(subject, False, detail)
    free = shutil.disk_usage(existing).free
    told = f"{free // 2**20} MiB free"
    if free < MIN_FREE_BYTES:
        return Finding(subject, False, f"only {told}; make room, or move {PREFIX}STATE_DIRECTORY")
    return Finding(subject, True, told)
