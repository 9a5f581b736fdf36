"""Reads the registry and observed topics and follows them: every program's view of who is who.

The consumer is passed in (assigned to nothing yet); this module opens none itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import structlog
from aiokafka.structs import TopicPartition

from schemas.errors import RecordRejected
from schemas.registry.log import RegistryLog
from schemas.topics import TopicNames

log = structlog.get_logger(__name__)
POLL_MS = 200


class Reader(Protocol):
    """What is used of an aiokafka consumer, in its own words."""

    # ruff: noqa: D102
    def assign(self, partitions: list[TopicPartition]) -> None: ...

    async def seek_to_beginning(self, *partitions: TopicPartition) -> Any: ...  # noqa: ANN401

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def position(self, partition: TopicPartition) -> int: ...

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[Any]]: ...


class RegistryFollower:
    """Folds both topics into a `RegistryLog`: `catch_up` first, then `run` for ever."""

    def __init__(self, reader: Reader, topics: TopicNames, registry_log: RegistryLog) -> None:
        self._reader = reader
        self._registry = TopicPartition(topics.registry, 0)
        self._observed = TopicPartition(topics.observed, 0)
        self._log = registry_log

    async def catch_up(self) -> None:
        """Reads both topics from their beginning to where they end now."""
        both = [self._registry, self._observed]
        self._reader.assign(both)
        await self._reader.seek_to_beginning(*both)
        ends = await self._reader.end_offsets(both)
        while not await self._reached(ends):
            await self._poll()

    async def run(self) -> None:
        """Follows until cancelled."""
        while True:
            await self._poll()

    async def _reached(self, ends: dict[TopicPartition, int]) -> bool:
        for partition, end in ends.items():
            if await self._reader.position(partition) < end:
                return False
        return True

    async def _poll(self) -> None:
        fetched = await self._reader.getmany(timeout_ms=POLL_MS)
        for partition, records in fetched.items():
            self._apply(partition, records)

    def _apply(self, partition: TopicPartition, records: Iterable[Any]) -> None:
        for record in records:
            key = (record.key or b"").decode("utf-8", "replace")
            try:
                if partition == self._registry:
                    self._log.apply(key, record.value)
                else:
                    self._log.apply_observed(key, record.value)
            except RecordRejected as error:
                # A newer version's entity must not stop an older program: it is not in force.
                log.error(
                    "registry_record_rejected", key=key, offset=record.offset, reason=error.reason
                )


async def keep_running(
    work: Callable[[], Awaitable[None]], name: str, *, pause_seconds: float = 1.0
) -> None:
    """Runs `work` again whenever a broker's fault ends it; cancelling ends it for good."""
    while True:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 -- logged, and tried again: the view must not freeze
            log.error("background_work_failed", name=name, error=type(error).__name__)
        await asyncio.sleep(pause_seconds)
