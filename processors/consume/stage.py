"""What a program does with its records; the loop does the rest (`processors.consume.loop`)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from aiokafka.structs import ConsumerRecord, TopicPartition

from schemas.headers import Headers


class OutRecord(NamedTuple):
    """A record to be written in the batch's transaction; partition as a number, never by key.

    `source_offset`: the input record it came of, if one; a dead letter names it when the
    broker calls the record too large.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    source_offset: int | None = None


class Stage(Protocol):
    """The work on one assigned input partition. The loop calls one method at a time.

    An error of Kafka's or a retriable one of ours makes the loop abort, go back and call
    `restore` again; any other error is a bug and stops the program.
    """

    async def restore(self) -> None:
        """Catches up with what was committed: after fencing, before the first record.

        Also after every abort, for a commit may have happened although its answer was lost.
        """

    async def transform(self, records: Sequence[ConsumerRecord]) -> Sequence[OutRecord]:
        """The records to write for these, in order. May write elsewhere first (router)."""

    def committed(self) -> None:
        """The transaction with what `transform` or `idle` returned is committed."""

    def aborted(self) -> None:
        """It is not (or nobody knows): forget what `transform` or `idle` changed."""

    async def idle(self) -> Sequence[OutRecord]:
        """Called when nothing arrived for a while: sweeps. Committed like a batch if not empty."""

    async def close(self) -> None:
        """The partition is given up; nothing is called after this."""


@runtime_checkable
class TracksPlaces(Protocol):
    """A stage that wants to know where its records stand."""

    def placed(self, last_offsets: Mapping[TopicPartition, int]) -> None:
        """Right before `committed`: the last offset written per output partition, where known."""
