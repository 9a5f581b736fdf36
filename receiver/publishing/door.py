"""Where records leave the receiver, whatever is behind it: Kafka, or the spool."""

import asyncio
from enum import Enum
from typing import NamedTuple, Protocol

from schemas.errors import PublishFailed, RecordRejected
from schemas.headers import Headers


class OutgoingRecord(NamedTuple):
    """A record on its way."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Outcome(Enum):
    """What became of a record."""

    WRITTEN = "written"
    TOO_LARGE = "too_large"
    NOT_KNOWN = "not_known"


class Door(Protocol):
    """Takes records and tells when they are durable."""

    def submit(self, record: OutgoingRecord) -> "asyncio.Future[Outcome]":
        """Takes a record; the future ends in bounded time, never with an exception.

        Raises `PublishFailed` or `RecordRejected` (`record_too_large`) if it is not taken.
        """


async def publish(door: Door, record: OutgoingRecord) -> None:
    """Returns when the record is durable.

    Raises:
        PublishFailed: it is not known to be durable; trying again may help.
        RecordRejected: `record_too_large`, for good.
    """
    outcome = await door.submit(record)
    if outcome is Outcome.NOT_KNOWN:
        raise unavailable("neither broker nor spool took it in time")
    if outcome is Outcome.TOO_LARGE:
        raise too_large()


def unavailable(detail: str) -> PublishFailed:
    """The record was not taken, or nobody knows."""
    return PublishFailed("unavailable", detail)


def too_large() -> RecordRejected:
    """No broker takes it."""
    return RecordRejected("record_too_large", "the record is larger than the broker takes")
