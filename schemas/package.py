"""PackageState: what is known of a piece now, and the events it was learnt from."""

from enum import StrEnum
from typing import Final

from pydantic import Field

from schemas.event import (
    EventCategory,
    EventId,
    Evidence,
    Instant,
    MailKind,
    Model,
    ScanEvent,
    TrackingNumberText,
)

MAX_EVENTS_PER_NUMBER: Final = 2_000
TRIM_AFTER_DAYS: Final = 120
FORGET_AFTER_DAYS: Final = 730


class OrderBasis(StrEnum):
    """What the time of order of an event rests on, the surest first."""

    INSTANT = "instant"
    LOCAL = "local"
    RECEIPT = "receipt"


class KnownEvent(Model):
    """What `packages` remembers of an event: enough to know it again and to order it."""

    event_id: EventId
    sequence: int
    piece: int
    category: EventCategory
    event_code: str
    ordered_at: Instant = Field(description="For order inside a piece only; may rest on a guess.")
    order_basis: OrderBasis = Field(description="receipt: USPS stated no time, or a future one.")
    stated_minute: str
    zip: str | None
    city: str | None
    first_in_category: bool
    variant_of: EventId | None
    late: bool
    fingerprint: int = Field(description="Of text, seconds and reason code: tells a restatement.")
    evidence: list[Evidence]


class Past(Model):
    """What is kept of the events that were dropped, as of `trimmed_through`."""

    piece: int
    category: EventCategory | None
    decided_by: EventId | None
    categories: list[EventCategory] = Field(description="Published of that piece.")
    evidence: list[Evidence] = Field(description="Of that piece, one per (channel, mid).")


class PackageState(Model):
    """The record of `usps.packages.v1`, key: tracking number."""

    tracking_number: TrackingNumberText
    mail_kind: MailKind
    category: EventCategory | None
    last_event: ScanEvent | None = Field(description="The event that decided the category.")
    expected_delivery: str | None
    expected_delivery_reported_at: Instant | None
    first_event_at: Instant | None
    events_seen: int
    event_ids: list[EventId]
    mid: str | None
    updated_at: Instant
    sequence: int = Field(description="The highest sequence given; never goes back.")
    piece: int
    last_event_at: Instant | None = Field(description="The latest time of order among its events.")
    trimmed_through: Instant | None = Field(
        description="An unknown event at or before it is too old to be told from a repeat."
    )
    past: Past | None
    events: list[KnownEvent] = Field(description="In order; those of `event_ids`.")
