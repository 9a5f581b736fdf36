"""What a simulated scan and a simulated journey are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from receiver.simulator.mail_classes import MailClass
from receiver.simulator.places import Place


class Stated(StrEnum):
    """How exactly, and in which fields, USPS states the time of a scan."""

    GMT_FIELDS = "gmt_fields"  # local time, and the GMT fields beside it
    OFFSET = "offset"  # local time with its offset only
    DAY = "day"  # a date, as for labels
    NOT = "not"  # nothing, as for "in transit" notices


class Oddity(StrEnum):
    """What can be irregular about a journey."""

    LATE_SYNC = "late_sync"  # a hand scanner tells of a scan hours later
    OUT_AFTER_DELIVERED = "out_after_delivered"
    DELIVERED_TWICE = "delivered_twice"
    REPEATED_SCAN = "repeated_scan"  # the same scan again within its minute
    UNKNOWN_CODE = "unknown_code"
    DELAYED = "delayed"
    MISSENT = "missent"
    REUSED_NUMBER = "reused_number"
    WRONG_CHECK_DIGIT = "wrong_check_digit"
    ROUTING_PREFIX = "routing_prefix"  # the number is sent with 420 + ZIP in front


class Ending(StrEnum):
    """How a piece's journey ends."""

    DELIVERED = "delivered"
    SECOND_ATTEMPT = "second_attempt"
    PICKED_UP = "picked_up"
    NOT_PICKED_UP = "not_picked_up"
    RESCHEDULED = "rescheduled"
    UNSCANNED = "unscanned"
    TO_AGENT = "to_agent"
    FORWARDED = "forwarded"
    RETURNED = "returned"
    REFUSED = "refused"
    RECALLED = "recalled"
    UNDELIVERABLE = "undeliverable"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Scan:
    """One thing that happened.

    Attributes:
        at: When, aware, in UTC, whole seconds.
        known_at: When USPS's systems hear of it: `at`, or hours later.
        place: None where USPS states none.
        details: More event fields, named as the v3r2 documents name them.
    """

    code: str
    text: str
    at: datetime
    known_at: datetime
    place: Place | None
    stated: Stated = Stated.GMT_FIELDS
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def local(self) -> datetime:
        """Wall time where it happened (UTC where no place is stated)."""
        return self.at.astimezone(self.place.zone if self.place else UTC)


@dataclass(frozen=True, slots=True)
class Leg:
    """One piece under a number: what it is, and its scans in the order they become known."""

    mail_class: MailClass
    origin: Place
    destination: Place
    mailed_on: str
    unique_id: str
    ending: Ending
    scans: tuple[Scan, ...]


@dataclass(frozen=True, slots=True)
class Shipper:
    """Whose pieces travel: a MID's, or one tracking number's that is followed alone."""

    mid: str
    tracking_number: str | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """All that happens under one tracking number; a re-used number has two legs.

    Attributes:
        sent_as: The number as payloads name it, perhaps with routing in front.
    """

    tracking_number: str
    sent_as: str
    shipper: Shipper
    legs: tuple[Leg, ...]
    oddities: frozenset[Oddity]
