"""Where a destination's reading begins, and when its position is lost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aiokafka.structs import TopicPartition

from schemas.errors import PositionLost
from schemas.registry.observed import ObservedStart


class LogEnds(Protocol):
    """What is used of a consumer without a group, to ask where logs begin and end."""

    async def beginning_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The first offsets that still exist."""

    async def end_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The offsets that the next records will get."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What exists of a partition: offsets from `beginning` to before `end`."""

    beginning: int
    end: int


async def bounds_of(
    logs: LogEnds, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Bounds]:
    """The bounds of each partition now."""
    wanted = list(partitions)
    beginnings = await logs.beginning_offsets(wanted)
    ends = await logs.end_offsets(wanted)
    return {partition: Bounds(beginnings[partition], ends[partition]) for partition in wanted}


def first_position(
    partition: TopicPartition,
    committed: int | None,
    start: Mapping[int, int] | None,
    declared: Literal["latest", "earliest"],
    bounds: Bounds,
) -> int:
    """The offset to read first. Raises `PositionLost`.

    `committed`: the group's. Where the broker forgot it (after 7 days without members), the
    destination begins at its `start` again, or at what is left of it: repeats are harmless
    (same ids), and no record is passed over that still exists.
    """
    if committed is not None:
        if not bounds.beginning <= committed <= bounds.end:
            raise position_lost(partition, committed, bounds)
        return committed
    if start is not None:
        # A partition that came later than the start has all its records after it.
        begin = start.get(partition.partition, 0)
        return min(max(begin, bounds.beginning), bounds.end)
    return bounds.beginning if declared == "earliest" else bounds.end


def position_lost(partition: TopicPartition, position: int, bounds: Bounds) -> PositionLost:
    """The error that names the range."""
    place = f"{partition.topic}, partition {partition.partition}"
    if position < bounds.beginning:
        return PositionLost(
            "position_lost",
            f"{place}: offsets {position} to {bounds.beginning - 1} no longer exist and were "
            "not delivered; `destinations resume ID --accept-loss` goes on behind them",
        )
    return PositionLost(
        "position_lost",
        f"{place}: the position {position} is behind the end {bounds.end}: the topic was "
        "made anew; `destinations resume ID --accept-loss` begins at its start",
    )


def observed_start(record: Mapping[str, Any] | None, topic: str) -> dict[int, int] | None:
    """The start offsets by partition that `registry apply` wrote for this topic, if it did."""
    if record is None:
        return None
    start = ObservedStart.model_validate(record)
    if start.topic != topic:
        return None
    return {int(partition): offset for partition, offset in start.offsets.items()}
