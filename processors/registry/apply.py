"""Puts a declared registry in force. The order is in `apply_registry`'s docstring."""

import asyncio
import getpass
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition

from processors.administration import administration
from processors.lost_markers import end_lost
from processors.registry.groups import GroupInUse, Groups
from processors.registry.in_force import InForce, read_in_force
from processors.registry.load import Loaded
from processors.registry.plan import Plan, compare
from processors.registry.starts import begin, ended, to_begin
from processors.registry.visible import until_readable
from processors.registry.write import Revision, applier, write
from processors.topics import TopicReport, check_topics, ensure_topics
from schemas.clock import Clock, rfc3339
from schemas.errors import OperatorError, RegistryRefused
from schemas.kafka import KafkaOptions
from schemas.registry.log import RevisionMarker
from schemas.registry.observed import ObservedStart
from schemas.topics import TopicSpec, core_topics, merchant_topics


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did. `revision`: the one in force afterwards."""

    revision: int
    plan: Plan
    topics_created: Sequence[str]
    warnings: Sequence[str]
    starts: Mapping[str, ObservedStart] = field(default_factory=dict)
    groups_deleted: Sequence[str] = ()

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        changes = [{"key": one.key, "change": one.change} for one in self.plan.changes]
        return {
            "revision": self.revision,
            "changes": changes,
            "topics_created": self.topics_created,
            "starts": {key: start.model_dump() for key, start in self.starts.items()},
            "groups_deleted": self.groups_deleted,
            "warnings": self.warnings,
        }


async def plan_registry(loaded: Loaded, kafka: KafkaOptions) -> Plan:
    """What `apply_registry` would change. Raises `RegistryRefused`, `OperatorError`."""
    async with administration(kafka) as admin:
        _refuse(await check_topics(admin, _topics(loaded, kafka), kafka.settings))
        return compare(loaded, await read_in_force(kafka, admin))


async def apply_registry(loaded: Loaded, kafka: KafkaOptions, clock: Clock) -> Applied:
    """1. Topics. 2. The applier starts, which fences any other, and its transaction begins.

    3. The registry is read to its end and compared. 4. New destinations' groups get their
    start. 5. Starts, entities, marker and history are written and committed. 6. Groups of
    destinations that are gone are deleted. A crash leaves topics and positions that the next
    apply finds or sets again.

    Raises:
        RegistryRefused: the registry, or a topic that exists, cannot be as declared.
        OperatorError: Kafka fails, or another apply took over.
    """
    async with administration(kafka) as admin:
        report = await ensure_topics(admin, _topics(loaded, kafka), kafka.settings)
        _refuse(report)
        asyncio.get_running_loop().set_exception_handler(_silent_when_fenced)
        try:
            applied = await _commit(loaded, kafka, clock, admin, report)
        except (ProducerFenced, IllegalOperation):
            raise OperatorError(
                "apply_fenced",
                "another registry apply began after this one and took over; nothing of this one "
                "is in force: look at registry show, then apply again if it is still wanted",
            ) from None
        return await _forget_groups(applied, loaded, kafka, admin)


async def _commit(
    loaded: Loaded,
    kafka: KafkaOptions,
    clock: Clock,
    admin: AIOKafkaAdminClient,
    report: TopicReport,
) -> Applied:
    names = kafka.settings.topics
    topics = (names.registry, names.registry_history, names.observed)
    async with applier(kafka) as producer:
        await _end_former(producer, kafka, topics)
        async with producer.transaction():
            in_force = await read_in_force(kafka, admin)
            plan = compare(loaded, in_force)
            applied = Applied(
                in_force.revision,
                plan,
                report.created,
                [*loaded.warnings, *report.unsafe, *report.warnings],
            )
            if not plan.changes:
                return applied
            now = rfc3339(clock.now())
            starts = await begin(to_begin(plan, in_force, names), report.partitions, kafka, now)
            marker = _next_marker(in_force, now)
            gone = dict.fromkeys(ended(plan, in_force))
            await write(producer, names, Revision(marker, plan.changes, {**gone, **starts}))
    with suppress(TimeoutError):  # committed it is; readers see it when the broker is ready
        await until_readable(kafka, topics)
    return replace(applied, revision=marker.revision, starts=starts)


async def _end_former(
    producer: AIOKafkaProducer, kafka: KafkaOptions, topics: Sequence[str]
) -> None:
    """What the apply before this one wrote is there to be read. Raises `OperatorError`."""
    await end_lost(producer, [TopicPartition(topic, 0) for topic in topics])
    try:
        await until_readable(kafka, topics)
    except TimeoutError:
        raise OperatorError(
            "registry_unreadable",
            "Kafka does not show all of the registry to readers of what is committed; look at "
            "the brokers, then apply again",
        ) from None


def _silent_when_fenced(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Futures that aiokafka leaves behind when it is fenced: the operator is told once."""
    if not isinstance(context.get("exception"), ProducerFenced):
        loop.default_exception_handler(context)


def _next_marker(in_force: InForce, now: str) -> RevisionMarker:
    return RevisionMarker(revision=in_force.revision + 1, applied_at=now, applied_by=_who_applies())


def _who_applies() -> str:
    """Who and where, as the system knows it; a container may know no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _topics(loaded: Loaded, kafka: KafkaOptions) -> list[TopicSpec]:
    names = kafka.settings.topics
    return [*core_topics(names), *merchant_topics(names, loaded.merchant_partitions)]


def _refuse(report: TopicReport) -> None:
    if report.problems:
        raise RegistryRefused("topics_refused", "\n".join(report.problems))


async def _forget_groups(
    applied: Applied, loaded: Loaded, kafka: KafkaOptions, admin: AIOKafkaAdminClient
) -> Applied:
    """Deletes the groups of destinations that nobody declares, also those of earlier applies.

    The registry is in force already: what fails here is a warning, and the next apply's work.
    """
    try:
        left = await _left_groups(loaded, kafka, admin)
        outcomes = await _deleted(left, kafka) if left else []
    except KafkaError as error:
        warning = f"groups of former destinations are not deleted ({type(error).__name__})"
        return replace(applied, warnings=[*applied.warnings, f"{warning}; the next apply will"])
    deleted = [group for group, outcome in zip(left, outcomes, strict=True) if outcome is None]
    in_use = [
        f"{group} is still read as by a program; stop it: the next apply deletes it"
        for group in left
        if group not in deleted
    ]
    return replace(applied, groups_deleted=deleted, warnings=[*applied.warnings, *in_use])


async def _left_groups(
    loaded: Loaded, kafka: KafkaOptions, admin: AIOKafkaAdminClient
) -> list[str]:
    prefix = kafka.settings.topics.sink_group("")
    return sorted(
        group
        for group, _ in await admin.list_consumer_groups()
        if group.startswith(prefix)
        and f"destination/{group.removeprefix(prefix)}" not in loaded.entities
    )


async def _deleted(left: Sequence[str], kafka: KafkaOptions) -> list[GroupInUse | None]:
    """For each group None, or that it is in use; all at once, for members need time to leave."""
    async with Groups(kafka) as groups:
        outcomes = await asyncio.gather(*map(groups.delete, left), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, GroupInUse):
            raise outcome
    return [one if isinstance(one, GroupInUse) else None for one in outcomes]
