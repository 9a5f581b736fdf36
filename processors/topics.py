"""Creates the topics that are missing, and says what is wrong with those that exist.

Nothing of an existing topic is ever changed: its partitions decide where a piece's records
are, and its configuration may be an operator's choice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from processors.administration import existing_partitions
from schemas.errors import OperatorError
from schemas.settings import Settings
from schemas.topics import TopicNames, TopicSpec, core_topics

_AT_A_TIME: Final = 100
_APPEARANCE_SECONDS: Final = 30.0
_MIN_INSYNC: Final = "min.insync.replicas"
_DEFAULT_REPLICATION: Final = -1


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What was found and done. With problems, nothing was created.

    Attributes:
        problems: What programs cannot work with, a sentence each.
        unsafe: Where an acknowledged record may be lost.
        warnings: What differs from scanwire's own settings, perhaps on purpose.
    """

    partitions: Mapping[str, int] = field(default_factory=dict)
    created: Sequence[str] = ()
    problems: Sequence[str] = ()
    unsafe: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def and_also(self, other: "TopicReport") -> "TopicReport":
        """Both reports as one."""
        return TopicReport(
            {**self.partitions, **other.partitions},
            (*self.created, *other.created),
            (*self.problems, *other.problems),
            (*self.unsafe, *other.unsafe),
            (*self.warnings, *other.warnings),
        )

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        topics = [
            {"name": name, "partitions": count, "created": name in set(self.created)}
            for name, count in self.partitions.items()
        ]
        return {
            "topics": topics,
            "problems": self.problems,
            "warnings": [*self.unsafe, *self.warnings],
        }


def piece_topics(names: TopicNames) -> tuple[str, ...]:
    """Those in which a piece has the same partition number, because stages rely on it."""
    return (
        names.tracking_updates,
        names.scan_events,
        names.packages,
        names.withheld,
        names.decisions,
    )


async def check_topics(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], settings: Settings
) -> TopicReport:
    """What exists of these topics, what is wrong or doubtful with it; creates nothing."""
    found = await existing_partitions(admin, [spec.name for spec in specs])
    problems, doubts = _wrong_partitions(specs, found, settings)
    existing = [spec for spec in specs if spec.name in found]
    unsafe, differing = await _doubtful_settings(admin, existing)
    ordered = {spec.name: found[spec.name] for spec in existing}
    return TopicReport(ordered, (), problems, unsafe, [*doubts, *differing])


async def ensure_topics(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], settings: Settings
) -> TopicReport:
    """The same, and then creates what is missing unless there are problems.

    Raises:
        OperatorError: the broker refuses to create a topic.
    """
    report = await check_topics(admin, specs, settings)
    missing = [spec for spec in specs if spec.name not in report.partitions]
    if report.problems or not missing:
        return report
    for first in range(0, len(missing), _AT_A_TIME):
        await _create(admin, missing[first : first + _AT_A_TIME], settings)
    created = [spec.name for spec in missing]
    partitions = await _appeared(admin, [spec.name for spec in specs])
    unsafe, differing = await _doubtful_settings(admin, missing)
    return TopicReport(
        partitions, created, (), [*report.unsafe, *unsafe], [*report.warnings, *differing]
    )


def _wrong_partitions(
    specs: Sequence[TopicSpec], found: Mapping[str, int], settings: Settings
) -> tuple[list[str], list[str]]:
    """Problems and warnings."""
    problems, doubts = [], []
    bound = piece_topics(settings.topics)
    for spec in specs:
        count, wanted = found.get(spec.name), _partitions(spec, settings)
        if count is None or count == wanted:
            continue
        if spec.name in bound:
            problems.append(
                f"{spec.name} has {count} partitions and SCANWIRE_TOPIC_PARTITIONS says {wanted}; "
                "set what the topics have: an existing topic's partitions are never changed"
            )
        elif spec.partitions is not None:
            problems.append(
                f"{spec.name} has {count} partitions instead of {wanted}, and an existing "
                f"topic's partitions are never changed; {_remedy(spec, count, settings)}"
            )
        else:
            doubts.append(f"{spec.name} has {count} partitions instead of {wanted}")
    return problems, doubts


def _remedy(spec: TopicSpec, count: int, settings: Settings) -> str:
    if spec in core_topics(settings.topics):
        return "set another SCANWIRE_TOPIC_PREFIX, or delete the topic and run topics again"
    return f"declare partitions: {count} for that merchant"


def _partitions(spec: TopicSpec, settings: Settings) -> int:
    return settings.topic_partitions if spec.partitions is None else spec.partitions


async def _create(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], settings: Settings
) -> None:
    replication = settings.topic_replication_factor
    response = await admin.create_topics(
        [
            NewTopic(
                spec.name,
                _partitions(spec, settings),
                replication,
                # aiokafka takes the broker's default only with an (empty) assignment.
                {} if replication == _DEFAULT_REPLICATION else None,
                dict(spec.config),
            )
            for spec in specs
        ]
    )
    for name, code, message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise OperatorError(
                "topic_not_created",
                f"Kafka did not create {name}: {message or error.__name__}; "
                "correct SCANWIRE_TOPIC_REPLICATION_FACTOR or the cluster's rights and limits",
            )


async def _appeared(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """Waits until every topic is known to the brokers: a created one is not at once."""
    async with asyncio.timeout(_APPEARANCE_SECONDS):
        while True:
            found = await existing_partitions(admin, names)
            if len(found) == len(set(names)):
                return {name: found[name] for name in names}
            await asyncio.sleep(0.05)


async def _doubtful_settings(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]
) -> tuple[list[str], list[str]]:
    """Replicated topics that acknowledge with one replica; settings that differ from ours."""
    unsafe: list[str] = []
    differing: list[str] = []
    if not specs:
        return unsafe, differing
    configs = await _configs(admin, specs)
    replicas = await _replicas(admin)
    for spec in specs:
        config = configs.get(spec.name, {})
        differing += [
            f"{spec.name}: {key} is {config[key]}, scanwire's is {wanted}"
            for key, wanted in spec.config.items()
            if config.get(key, wanted) != wanted
        ]
        insync = int(config.get(_MIN_INSYNC, "1"))
        if replicas.get(spec.name, 1) > 1 and insync < 2:  # noqa: PLR2004 -- one broker may die
            unsafe.append(
                f"{spec.name}: {_MIN_INSYNC} is {insync}, so an acknowledged record may be lost "
                "with one broker; set it to 2 or more"
            )
    return unsafe, differing


async def _configs(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]
) -> dict[str, dict[str, str]]:
    """What the brokers say of each topic's settings."""
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, spec.name, dict.fromkeys((*spec.config, _MIN_INSYNC))
        )
        for spec in specs
    ]
    responses = await admin.describe_configs(resources)
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in responses
        for resource in response.resources
    }


async def _replicas(admin: AIOKafkaAdminClient) -> dict[str, int]:
    return {
        topic["topic"]: min(len(partition["replicas"]) for partition in topic["partitions"])
        for topic in await admin.describe_topics()
        if topic["partitions"]
    }
