"""Consumer groups of destinations, seen from outside: where a new one begins, and its end."""

import asyncio
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import BrokerResponseError, KafkaError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.protocol.commit import OffsetCommitRequest

from schemas.kafka import KafkaOptions

# A program leaves its group within seconds of an apply; a killed one when its session ends.
LEAVE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.25
# Kafka's error codes; aiokafka has no classes for the last two.
_UNKNOWN_MEMBER: Final = 25
_NON_EMPTY_GROUP: Final = 68
_GROUP_NOT_FOUND: Final = 69
_PASSING: Final = frozenset({7, 14, 15, 16})  # timed out, loading, no or another coordinator
_NO_MEMBER: Final = ""


class GroupInUse(Exception):
    """A program still reads as this group."""


class Groups:
    """Asks each group's coordinator, by one connection per broker."""

    def __init__(self, kafka: KafkaOptions) -> None:
        self._client = AIOKafkaClient(**kafka.client())

    async def __aenter__(self) -> Self:
        """Connects."""
        await self._client.bootstrap()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnects."""
        await self._client.close()

    async def begin_at(
        self, group: str, topic: str, offsets: Mapping[int, int], seconds: float = LEAVE_SECONDS
    ) -> None:
        """Sets where the group reads next. Raises `GroupInUse` if it has members."""
        positions = [(partition, offset, "") for partition, offset in offsets.items()]
        request = OffsetCommitRequest(
            group,
            OffsetCommitRequest.DEFAULT_GENERATION_ID,
            _NO_MEMBER,
            OffsetCommitRequest.DEFAULT_RETENTION_TIME,
            [(topic, positions)],
        )
        await self._ask(group, request, _commit_codes, seconds)

    async def delete(self, group: str, seconds: float = LEAVE_SECONDS) -> None:
        """Deletes a group, if there is one, once its members have left. Raises `GroupInUse`."""
        await self._ask(group, DeleteGroupsRequest([group]), _delete_codes, seconds)

    async def _ask(self, group: str, request: Any, codes: Any, seconds: float) -> None:  # noqa: ANN401 -- aiokafka's requests
        """Asks again for as long as the answer may pass: a moving coordinator, members."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            failed = await self._once(group, request, codes)
            if not failed:
                return
            in_use = failed <= {_UNKNOWN_MEMBER, _NON_EMPTY_GROUP} | _PASSING
            if not in_use or loop.time() >= deadline:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        if failed & {_UNKNOWN_MEMBER, _NON_EMPTY_GROUP}:
            raise GroupInUse(group)
        raise for_code(min(failed))(group)

    async def _once(self, group: str, request: Any, codes: Any) -> set[int]:  # noqa: ANN401 -- aiokafka's requests
        """The error codes of one try."""
        try:
            node = await self._client.coordinator_lookup(CoordinationType.GROUP, group)
            response = await self._client.send(node, request, group=ConnectionGroup.COORDINATION)
        except BrokerResponseError as error:
            return {error.errno}
        except KafkaError as error:
            if error.retriable:
                return {7}
            raise
        return {code for code in codes(response) if code not in (0, _GROUP_NOT_FOUND)}


def _commit_codes(response: Any) -> Iterator[int]:  # noqa: ANN401 -- aiokafka's response
    return (code for _, partitions in response.topics for _, code in partitions)


def _delete_codes(response: Any) -> Iterator[int]:  # noqa: ANN401 -- aiokafka's response
    return (code for _, code in response.results)
