"""How many records each destination has not settled; of stopped ones too: lag is their alarm."""

from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from processors.deliver.keeper import Keeper, State
from processors.deliver.shared import Shared

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 5.0
NO_OFFSET: Final = -1


class LagWatch:
    """Asks for all logs' ends at once."""

    def __init__(self, admin: AIOKafkaAdminClient, shared: Shared) -> None:
        self._admin = admin
        self._shared = shared
        self._metrics = shared.metrics
        # Of stopped destinations: their group's positions, which nobody moves meanwhile.
        self._resting: dict[Keeper, dict[TopicPartition, int]] = {}

    async def look(self, keepers: Iterable[Keeper]) -> None:
        """Sets every destination's lag. Raises nothing."""
        try:
            positions = {keeper: await self._positions(keeper) for keeper in keepers}
            self._resting = {k: v for k, v in self._resting.items() if k in positions}
            partitions = {tp for known in positions.values() for tp in known}
            await self._shared.logs.know({tp.topic for tp in partitions})
            ends = await self._shared.logs.end_offsets(partitions) if partitions else {}
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("lag_unknown", error=type(error).__name__)
            return
        for keeper, known in positions.items():
            lag = sum(max(ends[tp] - position, 0) for tp, position in known.items())
            self._metrics.lag.labels(keeper.destination.id).set(lag)
            if keeper.delivery is not None:
                keeper.delivery.watch(ends)

    async def _positions(self, keeper: Keeper) -> dict[TopicPartition, int]:
        if keeper.state is State.STOPPED:
            if keeper not in self._resting:
                self._resting[keeper] = await self._committed(keeper)
            return self._resting[keeper]
        self._resting.pop(keeper, None)
        return {} if keeper.delivery is None else keeper.delivery.positions()

    async def _committed(self, keeper: Keeper) -> dict[TopicPartition, int]:
        group = self._shared.tools.settings.topics.sink_group(keeper.destination.id)
        committed = await self._admin.list_consumer_group_offsets(group)
        return {
            partition: found.offset
            for partition, found in committed.items()
            if partition.topic == keeper.topic and found.offset != NO_OFFSET
        }
