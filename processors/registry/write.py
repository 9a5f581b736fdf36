"""The transaction of an apply: starts, entities, revision marker and history, or none of it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiokafka import AIOKafkaProducer

from processors.registry.plan import Change
from schemas.errors import RegistryRefused
from schemas.headers import Headers, record_headers
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import make_producer
from schemas.records import CloudEventType
from schemas.registry.log import REVISION_KEY, RevisionMarker
from schemas.registry.observed import ObservedKind, ObservedStart
from schemas.topics import TopicNames

SOURCE: Final = "scanwire/registry"
# Below the brokers' usual limit of 1 MiB for a batch, with room for its headers.
_BATCH_BYTES: Final = 768 * 1024
_HISTORY_BYTES: Final = 512 * 1024
# Hundreds of thousands of entities take longer than a program's batch of events.
_TRANSACTION_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Revision:
    """What one apply writes. `starts`: by destination id; None: the start ends."""

    marker: RevisionMarker
    changes: Sequence[Change]
    starts: Mapping[str, ObservedStart | None]


def applier(kafka: KafkaOptions) -> AIOKafkaProducer:
    """The one producer of applies: whoever starts it fences the one before."""
    options = kafka.transactional(kafka.settings.topics.apply_transactional_id)
    sizes = {"max_batch_size": _BATCH_BYTES, "transaction_timeout_ms": _TRANSACTION_MS}
    return make_producer(**options | sizes)


async def write(producer: AIOKafkaProducer, names: TopicNames, revision: Revision) -> None:
    """Writes everything into the open transaction; the marker is the registry's last record."""
    time = revision.marker.applied_at
    number = str(revision.marker.revision)
    history = _History(revision.marker)
    async with _Writes(producer) as writes:
        for key, value in _starts(revision.starts):
            headers = _headers(key, CloudEventType.OBSERVED, time)
            await writes.add(names.observed, key, value, headers)
        for change in revision.changes:
            value = None if change.after is None else orjson.dumps(change.after.record())
            headers = _headers(change.key, CloudEventType.REGISTRY_ENTITY, time)
            await writes.add(names.registry, change.key, value, headers)
            history.add(change, value)
        headers = _headers(number, CloudEventType.REGISTRY_REVISION, time)
        marker = orjson.dumps(revision.marker.model_dump(mode="json"))
        await writes.add(names.registry, REVISION_KEY, marker, headers)
        for value in history.records():
            await writes.add(names.registry_history, number, value, headers)


class _Writes:
    """Batches to partition 0 of each topic, in order."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._batches: dict[str, Any] = {}
        self._sent: list[asyncio.Future[Any]] = []

    async def add(self, topic: str, key: str, value: bytes | None, headers: Headers) -> None:
        """Appends a record; a full batch is sent."""
        batch = self._batches.get(topic)
        if batch is None or not self._append(batch, key, value, headers):
            if batch is not None:
                await self._send(topic, batch)
            batch = self._batches[topic] = self._producer.create_batch()
            if not self._append(batch, key, value, headers):
                raise RegistryRefused("entity_too_large", f"{key} is too large to be written")

    def _append(self, batch: Any, key: str, value: bytes | None, headers: Headers) -> bool:  # noqa: ANN401
        added = batch.append(timestamp=None, key=key.encode(), value=value, headers=headers)
        return added is not None

    async def _send(self, topic: str, batch: Any) -> None:  # noqa: ANN401 -- aiokafka's batch
        self._sent.append(await self._producer.send_batch(batch, topic, partition=0))

    async def __aenter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Sends what is left and waits until the brokers have all of it, or have refused it."""
        if error is None:
            for topic, batch in self._batches.items():
                await self._send(topic, batch)
        results = await asyncio.gather(*self._sent, return_exceptions=True)
        failed = [one for one in results if isinstance(one, BaseException)]
        if failed and error is None:
            raise failed[0]


def _headers(record_id: str, kind: CloudEventType, time: str) -> Headers:
    return record_headers(record_id, kind, SOURCE, time, None)


def _starts(starts: Mapping[str, ObservedStart | None]) -> Iterator[tuple[str, bytes | None]]:
    for destination_id, start in starts.items():
        value = None if start is None else orjson.dumps(start.model_dump(mode="json"))
        yield f"{ObservedKind.START}/{destination_id}", value


class _History:
    """The changes, in as many records as their size asks for; each a `RegistryHistory`."""

    def __init__(self, marker: RevisionMarker) -> None:
        self._marker = marker
        self._parts: list[list[orjson.Fragment]] = [[]]
        self._size = 0

    def add(self, change: Change, after: bytes | None) -> None:
        """One more change; `after` is the entity's new record."""
        before = None if change.before is None else change.before.record()
        written = orjson.dumps(
            {
                "key": change.key,
                "change": change.change,
                "before": before,
                "after": None if after is None else orjson.Fragment(after),
            }
        )
        self._size += len(written)
        if self._parts[-1] and self._size > _HISTORY_BYTES:
            self._parts.append([])
            self._size = len(written)
        self._parts[-1].append(orjson.Fragment(written))

    def records(self) -> Iterator[bytes]:
        """The values to write."""
        for number, changes in enumerate(self._parts, 1):
            parts = {"part": number, "parts": len(self._parts), "changes": changes}
            yield orjson.dumps({**self._marker.model_dump(mode="json"), **parts})
