"""Where destinations begin: set once, when a destination is new on its merchant's topic."""

from collections.abc import Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from processors.registry.groups import GroupInUse, Groups
from processors.registry.in_force import InForce
from processors.registry.plan import Plan
from schemas.errors import OperatorError
from schemas.kafka import KafkaOptions
from schemas.registry.destinations import Destination, DestinationBase
from schemas.registry.observed import ObservedStart
from schemas.topics import TopicNames


def to_begin(plan: Plan, in_force: InForce, names: TopicNames) -> list[Destination]:
    """Destinations that are new, or new on their merchant's topic; others keep their start.

    One in force without a start also keeps its position: a start of `latest` would skip.
    """
    found: list[Destination] = []
    for change in plan.changes:
        after, before = change.after, change.before
        if not isinstance(after, Destination):
            continue
        moved = isinstance(before, DestinationBase) and before.merchant != after.merchant
        new = change.change == "added" or moved
        if new and in_force.start_topic(after.id) != names.merchant(after.merchant):
            found.append(after)
    return found


def ended(plan: Plan, in_force: InForce) -> list[str]:
    """Destinations that go, with a start to forget."""
    gone = [one.key.partition("/")[2] for one in plan.changes if one.change == "removed"]
    return [one for one in gone if in_force.start_topic(one) is not None]


async def begin(
    destinations: Sequence[Destination],
    partitions: Mapping[str, int],
    kafka: KafkaOptions,
    now: str,
) -> dict[str, ObservedStart]:
    """Sets each destination's group to the beginning or the end of its merchant's topic.

    Args:
        destinations: those that are new.
        partitions: how many each merchant topic has, by topic.
        kafka: where.
        now: the moment that the starts name.

    Raises:
        OperatorError: a program still reads as the group of one of them.
    """
    if not destinations:
        return {}
    names = kafka.settings.topics
    starts: dict[str, ObservedStart] = {}
    async with AIOKafkaConsumer(**kafka.reader()) as reader, Groups(kafka) as groups:
        offsets = await _offsets(reader, destinations, partitions, names)
        for destination in destinations:
            topic = names.merchant(destination.merchant)
            found = offsets[destination.start, topic]
            await _begin_group(groups, names.sink_group(destination.id), topic, found)
            text = {str(partition): offset for partition, offset in found.items()}
            starts[destination.id] = ObservedStart(topic=topic, offsets=text, declared_at=now)
    return starts


async def _begin_group(groups: Groups, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    try:
        await groups.begin_at(group, topic, offsets)
    except GroupInUse:
        raise OperatorError(
            "group_in_use",
            f"a program still reads as {group}, so that destination cannot begin; "
            "stop the program, then apply again",
        ) from None


async def _offsets(
    reader: AIOKafkaConsumer,
    destinations: Iterable[Destination],
    partitions: Mapping[str, int],
    names: TopicNames,
) -> dict[tuple[str, str], dict[int, int]]:
    """By start and topic: the offset of each partition."""
    wanted: dict[str, set[str]] = {"earliest": set(), "latest": set()}
    for destination in destinations:
        wanted[destination.start].add(names.merchant(destination.merchant))
    # aiokafka learns of unknown topics one by one, a tenth of a second each; of these at once.
    await reader._client.set_topics(set().union(*wanted.values()))  # noqa: SLF001
    offsets: dict[tuple[str, str], dict[int, int]] = {}
    for start, topics in wanted.items():
        ask = reader.beginning_offsets if start == "earliest" else reader.end_offsets
        places = [
            TopicPartition(one, number) for one in topics for number in range(partitions[one])
        ]
        for place, offset in (await ask(places)).items() if places else ():
            offsets.setdefault((start, place.topic), {})[place.partition] = offset
    return offsets
