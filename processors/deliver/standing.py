"""Where destinations stand, seen from outside: what `destinations list` tells, and `resume`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from processors.administration import existing_partitions
from processors.deliver.declaration import is_disabled
from processors.deliver.positions import Bounds, LogEnds, bounds_of
from processors.sinks.table import SINKS
from schemas.registry.destinations import Destination
from schemas.registry.log import RegistryLog
from schemas.topics import TopicNames

NO_OFFSET: Final = -1


@dataclass(frozen=True, slots=True)
class LostRange:
    """Offsets of a partition that were not delivered and no longer exist; `last` inclusive."""

    partition: TopicPartition
    first: int
    last: int
    resume_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One destination. `lag`: records not settled; None: no position, or no topic."""

    destination: Destination
    state: str
    lag: int | None
    lost: tuple[LostRange, ...] = ()

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "id": self.destination.id,
            "merchant": self.destination.merchant,
            "kind": self.destination.kind,
            "state": self.state,
            "lag": self.lag,
            "lost": [
                {"partition": one.partition.partition, "first": one.first, "last": one.last}
                for one in self.lost
            ],
        }

    def line(self) -> str:
        """What a person reads."""
        destination = self.destination
        lag = "-" if self.lag is None else self.lag
        return (
            f"{destination.id}  {destination.merchant}  {destination.kind}  {self.state}  lag {lag}"
        )


async def standings(
    destinations: Iterable[Destination],
    registry_log: RegistryLog,
    names: TopicNames,
    admin: AIOKafkaAdminClient,
    logs: LogEnds,
) -> list[Standing]:
    """Each destination, by its group's positions and its log's bounds."""
    wanted = list(destinations)
    topics = {destination.id: names.merchant(destination.merchant) for destination in wanted}
    partitions = await existing_partitions(admin, topics.values())
    everywhere = [
        TopicPartition(t, number) for t, many in partitions.items() for number in range(many)
    ]
    bounds = await bounds_of(logs, everywhere)
    found = []
    for destination in wanted:
        committed = await committed_positions(admin, names.sink_group(destination.id))
        topic = topics[destination.id]
        ours = {tp: known for tp, known in bounds.items() if tp.topic == topic}
        found.append(_standing(destination, registry_log, ours, committed))
    return found


async def committed_positions(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """A group's positions, where it has some."""
    found = await admin.list_consumer_group_offsets(group)
    return {tp: known.offset for tp, known in found.items() if known.offset != NO_OFFSET}


def _standing(
    destination: Destination,
    registry_log: RegistryLog,
    bounds: Mapping[TopicPartition, Bounds],
    committed: Mapping[TopicPartition, int],
) -> Standing:
    lost = tuple(
        one
        for one in (lost_range(tp, committed.get(tp), known) for tp, known in bounds.items())
        if one is not None
    )
    lags = [known.end - committed[tp] for tp, known in bounds.items() if tp in committed]
    lag = sum(max(one, 0) for one in lags) if lags else None
    return Standing(destination, _state(destination, registry_log, bounds, lost), lag, lost)


def _state(
    destination: Destination,
    registry_log: RegistryLog,
    bounds: Mapping[TopicPartition, Bounds],
    lost: tuple[LostRange, ...],
) -> str:
    """One word; the first that applies."""
    if not destination.enabled:
        return "off"
    if destination.kind not in SINKS:
        return "kind_not_runnable"
    if is_disabled(destination, registry_log.observed):
        return "gone"
    if not bounds:
        return "topic_missing"
    return "position_lost" if lost else "on"


def lost_range(
    partition: TopicPartition, committed: int | None, bounds: Bounds
) -> LostRange | None:
    """What a position outside its log means; None: it is inside."""
    if committed is None or bounds.beginning <= committed <= bounds.end:
        return None
    if committed < bounds.beginning:
        return LostRange(partition, committed, bounds.beginning - 1, bounds.beginning)
    # The topic was made anew: what it held up to the position is settled, nothing is lost.
    return LostRange(partition, committed, committed - 1, bounds.beginning)
