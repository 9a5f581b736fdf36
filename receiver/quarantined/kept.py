"""One quarantine record as the tool has it, its id, and which of them are meant."""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, NamedTuple, Self

from aiokafka.structs import ConsumerRecord
from pydantic import ValidationError

from receiver.judging.quarantine import ReceivedRequest
from schemas.clock import parse_rfc3339
from schemas.records import Quarantined, QuarantineReason

_ID: Final = re.compile(r"(\d{1,9})-(\d{1,18})", re.ASCII).fullmatch


class Position(NamedTuple):
    """Where a record stands in the quarantine topic; its text is the record's id."""

    partition: int
    offset: int

    def __str__(self) -> str:
        """As `of` reads it."""
        return f"{self.partition}-{self.offset}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises `ValueError`."""
        found = _ID(text)
        if found is None:
            raise ValueError("an id is PARTITION-OFFSET, e.g. 3-1284")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class Kept:
    """A request that was set aside."""

    position: Position
    quarantined: Quarantined

    @classmethod
    def of(cls, record: ConsumerRecord) -> Self | None:
        """None for what is no quarantine record."""
        try:
            quarantined = Quarantined.model_validate_json(record.value or b"")
            kept = cls(Position(record.partition, record.offset), quarantined)
            _ = kept.request  # its body and its time can be read
        except (ValidationError, ValueError):
            return None
        return kept

    @cached_property
    def request(self) -> ReceivedRequest:
        """The request as it came: its body to the byte, its headers but for credentials."""
        told = self.quarantined
        # Headers of one name were joined; signatures themselves have no comma.
        headers = [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, joined in told.headers.items()
            for value in joined.split(", ")
        ]
        received = parse_rfc3339(told.received_at)
        body = b64decode(told.body_base64, validate=True)
        return ReceivedRequest(body, headers, told.remote_address, received, told.received_at)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records are meant; what is empty or None does not narrow it down.

    Attributes:
        subscription_ids: USPS's ids.
        since, until: By receipt; `until` is exclusive.
    """

    reasons: frozenset[QuarantineReason] = frozenset()
    subscription_ids: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, kept: Kept) -> bool:
        """Whether this record is meant."""
        told, received = kept.quarantined, kept.request.received
        return (
            (not self.reasons or told.reason in self.reasons)
            and (not self.subscription_ids or told.subscription_id in self.subscription_ids)
            and (self.since is None or received >= self.since)
            and (self.until is None or received < self.until)
        )


@dataclass(frozen=True, slots=True)
class Names:
    """Our names of subscriptions by USPS's ids."""

    by_id: Mapping[str, str] = field(default_factory=dict)

    def ids_of(self, wanted: str) -> frozenset[str]:
        """The ids of the subscription of this name; else the text itself is taken for an id."""
        found = frozenset(its_id for its_id, name in self.by_id.items() if name == wanted)
        return found or frozenset({wanted})
