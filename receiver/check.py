"""`scanwire-receiver check`: what is wrong with the surroundings, and what to do."""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from receiver.following.registry import kafka_reader
from receiver.following.subscriptions import resolve_subscriptions
from receiver.program import Tools
from receiver.publishing.producer import BROKER_FAULTS, START_SECONDS
from receiver.publishing.topics import TopicState, describe_topics
from receiver.silence import FILE, RhythmFile, remedy
from receiver.spool.look import SpoolFound, look
from receiver.spool.salvage import set_aside_files
from schemas.follow import RegistryFollower
from schemas.registry.log import RegistryLog
from schemas.secrets import Secrets
from schemas.settings import PREFIX, Settings, describe
from schemas.topics import LARGE_RECORD_BYTES

TOPICS_REMEDY = "run `scanwire-processors topics` or `scanwire-processors registry apply FILE`"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `detail` says how it is, or what is wrong and what to do."""

    subject: str
    well: bool
    detail: str


def run(tools: Tools, *, as_json: bool) -> int:
    """Prints what was found. Returns 1 if anything is wrong."""
    root = tools.settings.spool_directory
    findings = [
        *asyncio.run(kafka_findings(tools)),
        disk_finding(root),
        *spool_findings(root, tools.settings.spool_max_bytes, tools.clock.now().timestamp()),
    ]
    settings = settings_in_force(tools.settings)
    if as_json:
        document = {"settings": settings, "findings": [asdict(finding) for finding in findings]}
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    else:
        meanings = [f"{name}={settings[name]}  # {meaning}" for name, _, meaning in describe()]
        text = "\n".join([*meanings, "", *map(_line, findings)])
    sys.stdout.write(f"{text}\n")
    return 0 if all(finding.well for finding in findings) else 1


def settings_in_force(settings: Settings) -> dict[str, str]:
    """By variable. Secrets are references, so nothing needs to be hidden."""
    values = settings.model_dump(mode="json")
    return {name: str(values[name.removeprefix(PREFIX).lower()]) for name, _, _ in describe()}


def _line(finding: Finding) -> str:
    return f"{'ok   ' if finding.well else 'WRONG'} {finding.subject}: {finding.detail}"


async def kafka_findings(tools: Tools) -> Sequence[Finding]:
    """Broker, topics, registry and secrets: each only if what it stands on is well."""
    names = tools.settings.topics
    servers = tools.settings.kafka_bootstrap_servers
    written, followed = (names.tracking_updates, names.quarantine), (names.registry, names.observed)
    try:
        async with asyncio.timeout(START_SECONDS):
            found = await describe_topics(tools.kafka, (*written, *followed))
        reached = Finding("broker", True, f"{servers} answers")
        missing = [name for name in (*written, *followed) if name not in found]
        if missing:
            detail = f"missing: {', '.join(missing)}; {TOPICS_REMEDY}"
            return [reached, Finding("topics", False, detail)]
        topics = [topic_finding(name, found[name]) for name in written]
        async with asyncio.timeout(START_SECONDS):
            registry = await read_registry(tools)
    except BROKER_FAULTS as error:
        detail = (
            f"{servers} does not serve us ({type(error).__name__}); start it, or correct "
            f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS and the settings to sign in"
        )
        return [Finding("broker", False, detail)]
    silent = silence_findings(registry, tools)
    return [reached, *topics, *registry_findings(registry, tools.secrets), *silent]


def topic_finding(name: str, topic: TopicState) -> Finding:
    """Whether what is acknowledged on it is safe, and the largest callback fits."""
    wrong = []
    if topic.replicas > 1 and topic.min_insync < 2:  # noqa: PLR2004 -- one broker may die
        wrong.append(
            f"min.insync.replicas is {topic.min_insync}: a callback answered 200 may be lost with "
            "one broker; set it to 2 or more"
        )
    if topic.max_bytes < LARGE_RECORD_BYTES:
        wrong.append(
            f"max.message.bytes is {topic.max_bytes}: large callbacks do not fit; set it to "
            f"{LARGE_RECORD_BYTES}"
        )
    well = f"{topic.partitions} partitions, {topic.replicas} replicas"
    return Finding(f"topic {name}", not wrong, "; ".join(wrong) or well)


async def read_registry(tools: Tools) -> RegistryLog:
    """The registry as it is now. Raises one of `BROKER_FAULTS`."""
    registry_log = RegistryLog()
    reader = kafka_reader(tools.kafka)
    try:
        await reader.start()
        await RegistryFollower(reader, tools.settings.topics, registry_log).catch_up()
    finally:
        await reader.stop()
    return registry_log


def registry_findings(registry_log: RegistryLog, secrets: Secrets) -> Sequence[Finding]:
    """Whether there are subscriptions, and whether their secrets can be resolved here."""
    count = sum(1 for _ in registry_log.registry.all("subscription"))
    if not count:
        detail = "no subscription is declared; run `scanwire-processors registry apply FILE`"
        return [Finding("registry", False, detail)]
    resolved = resolve_subscriptions(registry_log, secrets)
    revision = f"revision {registry_log.registry.revision}, {count} subscriptions"
    problems = [Finding("secret", False, problem) for problem in resolved.problems]
    return [Finding("registry", True, revision), *problems]


def silence_findings(registry_log: RegistryLog, tools: Tools) -> Sequence[Finding]:
    """Subscriptions for which USPS has not called for longer than it should, by MID."""
    try:
        rhythms = RhythmFile(tools.settings.state_directory).read()
    except OSError as error:
        detail = f"{FILE} cannot be read ({type(error).__name__}); correct its rights"
        return [Finding("silence", False, detail)]
    now = tools.clock.now()
    table = resolve_subscriptions(registry_log, tools.secrets).table
    found = []
    for one in {known.name: known for known in table.values()}.values():
        rhythm = rhythms.get(one.name)
        # A piece that has arrived is silent for ever; only USPS's 30 days matter then.
        if rhythm is None or not rhythm.is_silent(now, usual_matters=one.mid is not None):
            continue
        what = f"mid {one.mid}" if one.mid else "its tracking number"
        hours = rhythm.silence(now).total_seconds() / 3600
        detail = (
            f"USPS has not called for {what} for {hours:.0f} h and may delete it in "
            f"{rhythm.days_left(now):.0f} days; run {remedy(one, rhythm)}"
        )
        found.append(Finding(f"silence of {one.name}", False, detail))
    return found


def disk_finding(directory: Path) -> Finding:
    """Whether the spool's directory, or the one it will be made in, can be written to."""
    subject = f"disk at {directory}"
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        detail = f"{existing} cannot be written to; correct {PREFIX}SPOOL_DIRECTORY"
        return Finding(subject, False, detail)
    return Finding(subject, True, f"{shutil.disk_usage(existing).free // 2**20} MiB free")


def spool_findings(root: Path, max_bytes: int, now: float) -> Sequence[Finding]:
    """What waits in each spool, and since when; `now` in seconds of the epoch."""
    spools = [_spool_finding(found, max_bytes, now) for found in look(root)]
    aside = [
        Finding(
            "spool",
            False,
            f"a damaged file was set aside; what could be read of it was kept. Look at {path}, "
            "back-fill from USPS what is missing, and remove it",
        )
        for path in set_aside_files(root)
    ]
    return [*(spools or [Finding("spool", True, "nothing waits")]), *aside]


def _spool_finding(found: SpoolFound, max_bytes: int, now: float) -> Finding:
    subject = f"spool {found.path.parent}"
    if found.trouble:
        return Finding(subject, False, f"{found.trouble}; the receiver sets damaged files aside")
    waits = f"{found.records} records wait, {found.bytes} bytes"
    if found.oldest_at is not None:
        waits += f", the oldest for {max(0.0, now - found.oldest_at):.0f} s"
    if found.parked:
        detail = f"{waits}; {found.parked} of them no topic takes: raise max.message.bytes"
        return Finding(subject, False, detail)
    if found.bytes >= max_bytes:
        detail = f"{waits}: it is full; bring the broker back, or raise {PREFIX}SPOOL_MAX_BYTES"
        return Finding(subject, False, detail)
    return Finding(subject, True, waits)
