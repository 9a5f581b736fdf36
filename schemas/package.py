"""PackageState: what is known of a piece now, and the events it was learnt from."""

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


class KnownEvent(Model):
    """What `packages` remembers of an event: enough to know it again and to order it."""

    event_id: EventId
    sequence: int
    piece: int
    category: EventCategory
    event_code: str
    ordered_at: Instant = Field(description="For order inside a piece only; may rest on a guess.")
    ordered_by_receipt: bool = Field(description="USPS stated no time at all.")
    stated_minute: str
    zip: str | None
    city: str | None
    first_in_category: bool
    variant_of: EventId | None
    fingerprint: str = Field(description="Of text, seconds and reason code: tells a restatement.")
    evidence: list[Evidence]


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
    events: list[KnownEvent]
