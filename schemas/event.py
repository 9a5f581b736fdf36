"""ScanEvent: one thing that happened to one piece, as USPS reports it (contract, section 5)."""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

EventId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
# RFC 3339 in UTC. Text, not datetime: what was published is repeated byte for byte.
Instant = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]
LocalTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?$")]
UtcOffset = Annotated[str, Field(pattern=r"^[+-]\d\d:\d\d$")]
TrackingNumberText = Annotated[str, Field(min_length=1, max_length=64)]
JsonValue = Any


class Channel(StrEnum):
    """How USPS told us."""

    WEBHOOK = "webhook"
    API = "api"
    SCAN_EVENT_EXTRACT = "scan_event_extract"
    IV_MTR = "iv_mtr"


class MidSource(StrEnum):
    """Who named the MID of an event."""

    SUBSCRIPTION = "subscription"
    FEED = "feed"
    PACKAGE_STATE = "package_state"


class MailKind(StrEnum):
    """A parcel (IMpb) or a letter (IMb)."""

    PACKAGE = "package"
    LETTER = "letter"


class EventCategory(StrEnum):
    """Our closed set of meanings; what USPS's code does not tell stays `unknown`."""

    PRE_SHIPMENT = "pre_shipment"
    ACCEPTED = "accepted"
    IN_TRANSIT = "in_transit"
    ARRIVED = "arrived"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPTED = "attempted"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    DELIVERED_TO_AGENT = "delivered_to_agent"
    FORWARDED = "forwarded"
    RETURN = "return"
    EXCEPTION = "exception"
    DELAYED = "delayed"
    INFORMATIONAL = "informational"
    UNKNOWN = "unknown"


class TimePrecision(StrEnum):
    """How exactly USPS stated the time of an event."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"
    NONE = "none"


class TimeBasis(StrEnum):
    """Which of USPS's fields the UTC instant rests on; `none`: there is no instant."""

    GMT_FIELD = "gmt_field"
    OFFSET_FIELD = "offset_field"
    TIMESTAMP_OFFSET = "timestamp_offset"
    NONE = "none"


class Model(BaseModel):
    """A record of ours: frozen; fields that a newer version added are read and kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Evidence(Model):
    """How an event became known, which decides who may see it."""

    channel: Channel
    mid: str | None
    mid_source: MidSource | None
    subscription_id: str | None
    received_at: Instant


class FeedEvent(Model):
    """A scan event as a feed stated it, normalized: what `packages` adds is not there yet."""

    event_id: EventId
    tracking_number: TrackingNumberText
    mail_kind: MailKind
    event_code: str
    event_text: str | None
    category: EventCategory
    event_time: Instant | None
    event_local_time: LocalTime | None
    utc_offset: UtcOffset | None
    time_precision: TimePrecision
    time_basis: TimeBasis
    city: str | None
    state: str | None
    zip: str | None
    country: str | None
    facility: str | None
    attributes: dict[str, JsonValue]
    flags: list[str] = Field(
        default_factory=list,
        description="What is odd about it, e.g. check_digit_wrong or time_in_future.",
    )
    mid: str | None
    mid_source: MidSource | None
    channel: Channel
    subscription_id: str | None
    received_at: Instant


class ScanEvent(FeedEvent):
    """One new scan event on `usps.scan-events.v1`, or as a merchant may see it.

    The derived fields are null for a party that may not have all evidence of the piece.
    """

    sequence: int = Field(ge=1)
    piece: int = Field(ge=1)
    new_evidence: bool
    variant_of: EventId | None
    first_in_category: bool | None
    late: bool
    package_category: EventCategory | None
    expected_delivery: str | None
    evidence: list[Evidence] | None = Field(
        default=None, description="All evidence of this event, the record's own last."
    )
    piece_evidence: list[Evidence] | None = Field(
        default=None, description="All evidence of the piece so far. Not on merchant topics."
    )


# Never on a merchant's topic: they name other parties' MIDs and subscriptions.
INTERNAL_FIELDS: Final = ("evidence", "piece_evidence")
# Null for a party that is not allowed by each evidence of the piece.
DERIVED_FIELDS: Final = ("package_category", "first_in_category", "expected_delivery")


def event_id(
    tracking_number: str, event_code: str, stated_minute: str, place: str, ordinal: int = 0
) -> str:
    """The stable id of a scan, 32 hex digits: the same on every channel that states as much.

    `stated_minute`: local date and time to the minute as USPS states it, or what there is of
    it. `place`: the ZIP, else city or facility, upper case and trimmed. `ordinal`: 0, or the
    count of equal scans before this one within one history, from the oldest.
    """
    text = f"{tracking_number}\x1f{event_code}\x1f{stated_minute}\x1f{place}"
    if ordinal:
        text = f"{text}\x1f{ordinal}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def stated_minute(event: Mapping[str, Any]) -> str:
    """The time part of the id: minute or day as stated, the UTC minute if no local time is."""
    local: str | None = event["event_local_time"]
    if local is not None:
        return local[:16]
    instant: str | None = event["event_time"]
    return f"{instant[:16]}Z" if instant is not None else ""


def stated_place(event: Mapping[str, Any]) -> str:
    """The place part of the id."""
    zip_code: str | None = event["zip"]
    return zip_code or (event["city"] or event["facility"] or "").strip().upper()
