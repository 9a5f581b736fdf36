"""Packages as a stage of the transaction loop: updates in, new events and states out."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from aiokafka.structs import ConsumerRecord, TopicPartition
from pydantic import ValidationError

from processors.consume import OutRecord
from processors.consume.dead_letters import dead_letter_of
from processors.packages.records import event_record, state_record, tombstone
from processors.packages.restore import Restorer
from processors.packages.state import fold
from processors.packages.store import Mark, StateStore, fingerprint
from processors.packages.sweep import Sweeper
from processors.packages.trim import State, capped, due_at
from schemas.clock import Clock, rfc3339
from schemas.errors import RecordRejected
from schemas.metrics import PackagesMetrics
from schemas.topics import TopicNames
from schemas.update import TrackingUpdate

log = structlog.get_logger(__name__)
PROGRAM: Final = "packages"
# Below the topic's limit of 8 MiB. Only thousands of events told by many parties come near.
MAX_STATE_BYTES: Final = 6 * 1024 * 1024
# How often what was committed is written to disk: what a crash costs in reading again.
WRITE_SECONDS: Final = 2.0
# A batch of long histories takes a second; heartbeats and other partitions come between.
UPDATES_AT_A_TIME: Final = 25
MAX_NUMBER_LENGTH: Final = 64
_NO_UPDATE: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


@dataclass(slots=True)
class _Batch:
    """What a transaction will commit."""

    states: dict[bytes, OutRecord] = field(default_factory=dict)
    changes: dict[bytes, tuple[int, bytes] | None] = field(default_factory=dict)
    updates: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    mark: Mark | None = None


class PackagesStage:
    """One input partition's work."""

    def __init__(
        self,
        names: TopicNames,
        place: TopicPartition,
        *,
        store: StateStore,
        restorer: Restorer,
        clock: Clock,
        metrics: PackagesMetrics,
    ) -> None:
        self._names = names
        self._partition: int = place.partition
        self._store = store
        self._restorer = restorer
        self._clock = clock
        self._metrics = metrics
        self._sweeper = Sweeper(store)
        self._batch = _Batch()
        self._written_at = clock.monotonic()

    async def restore(self) -> None:
        """Opens the store and reads what it lacks from `usps.packages.v1`."""
        self._store.open()
        await self._store.write()
        await self._restorer.restore()

    async def transform(self, records: Sequence[ConsumerRecord]) -> Sequence[OutRecord]:
        """New events, oldest first per update; then each changed state once, as it is last."""
        if self._store.is_full:
            await self._store.write()
        out: list[OutRecord] = []
        for first in range(0, len(records), UPDATES_AT_A_TIME):
            for record in records[first : first + UPDATES_AT_A_TIME]:
                out += self._processed(record)
            await asyncio.sleep(0)
        return out + self._states()

    async def idle(self) -> Sequence[OutRecord]:
        """Trims and forgets what its time has come for, some states at a time."""
        self._write_if_time()
        return self._states()

    def placed(self, last_offsets: Mapping[TopicPartition, int]) -> None:
        """Where the batch's last state stands is how far the store is with it."""
        last = last_offsets.get(TopicPartition(self._names.packages, self._partition))
        if last is not None and self._batch.states:
            record = next(reversed(self._batch.states.values()))
            self._batch.mark = Mark(last + 1, last, fingerprint(record.key, record.value))

    def committed(self) -> None:
        """The store takes the batch's states."""
        batch, self._batch = self._batch, _Batch()
        self._store.take(batch.changes, batch.mark)
        for outcome, count in batch.updates.items():
            self._metrics.updates.labels(outcome).inc(count)
        for outcome, count in batch.events.items():
            self._metrics.events.labels(outcome).inc(count)
        self._write_if_time()

    def aborted(self) -> None:
        """Forgets the batch."""
        self._batch = _Batch()

    async def close(self) -> None:
        """Writes what is not yet on disk."""
        await self._store.close()

    def _processed(self, record: ConsumerRecord) -> Iterable[OutRecord]:
        """The new events of an update, or its dead letter."""
        try:
            return self._folded(record)
        except _NO_UPDATE as error:
            reason = _reason(record, error)
        except RecordRejected as error:
            reason = error.reason
        log.error(
            "update_dead_lettered", partition=record.partition, offset=record.offset, reason=reason
        )
        self._batch.updates["dead_lettered"] += 1
        return [dead_letter_of(self._names, PROGRAM, record, reason, self._clock.now())]

    def _folded(self, record: ConsumerRecord) -> Iterable[OutRecord]:
        update = orjson.loads(record.value or b"")
        key = _key_of(update)
        if record.key != key:
            raise RecordRejected("key_is_not_the_number")
        folded = fold(self._state(key), update)
        batch = self._batch
        out = [
            event_record(self._names, self._partition, event, record.offset)
            for event in folded.events
        ]
        if folded.state is not None:
            self._keep(key, folded.state)
        for outcome, count in folded.counts.items():
            batch.events[outcome] += count
        batch.updates["new" if folded.events else "repeat"] += 1
        return out

    def _state(self, key: bytes) -> State | None:
        """Parsed anew even within a batch: objects that live shortly cost the least."""
        changed = self._batch.changes.get(key)
        value = self._store.get(key) if changed is None else changed[1]
        if value is None:
            return None
        state: State = orjson.loads(value)
        return state

    def _keep(self, key: bytes, state: State) -> None:
        """Makes the state's record, and what the store will take for it."""
        value = orjson.dumps(state)
        while len(value) > MAX_STATE_BYTES and state["events"]:
            state = capped(state, len(state["events"]) // 2)
            value = orjson.dumps(state)
        self._batch.changes[key] = (due_at(state), value)
        self._batch.states[key] = state_record(self._names, self._partition, state, value)

    def _states(self) -> list[OutRecord]:
        """One record per state that the batch changed, those of the sweep included."""
        self._sweep()
        return list(self._batch.states.values())

    def _sweep(self) -> None:
        """Does what is due of states that this batch does not touch."""
        now = self._clock.now()
        for key, before, after in self._sweeper.step(now, self._clock.monotonic()):
            if key in self._batch.states:
                continue
            if after is None:
                self._batch.changes[key] = None
                record = tombstone(self._names, self._partition, before, rfc3339(now))
                self._batch.states[key] = record
            elif after is before:
                # Only its time was not known: nothing to publish, so nothing to commit.
                self._store.take({key: (due_at(before), orjson.dumps(before))}, None)
            else:
                self._keep(key, after)

    def _write_if_time(self) -> None:
        if self._clock.monotonic() - self._written_at >= WRITE_SECONDS:
            self._written_at = self._clock.monotonic()
            self._store.write_soon()


def _key_of(update: dict[str, Any]) -> bytes:
    number: str = update["tracking_number"]
    if not 0 < len(number) <= MAX_NUMBER_LENGTH:
        raise RecordRejected("update_unreadable")
    return number.encode()


def _reason(record: ConsumerRecord, error: Exception) -> str:
    """Whether it is no update at all, or one that we fail to process."""
    try:
        TrackingUpdate.model_validate_json(record.value or b"")
    except ValidationError:
        return "update_unreadable"
    # Never the error's text, which may quote the record.
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("update_failed", error=type(error).__name__, file=where.filename, line=where.lineno)
    return "update_failed"
