"""TrackingUpdate: one callback, lookup answer or file line, normalized (contract, section 5)."""

from hashlib import blake2b
from typing import Annotated

from pydantic import ConfigDict, Field

from schemas.event import (
    Channel,
    FeedEvent,
    Instant,
    JsonValue,
    MidSource,
    Model,
    TrackingNumberText,
)

UpdateId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class PackageFacts(Model):
    """What USPS says of the piece itself, in snake_case; nothing is required of it.

    Delivery address, recipient and the like are left to `original`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    mail_class: str | None = None
    mail_class_code: str | None = None
    mail_type: str | None = None
    service_type_code: str | None = None
    services: list[str] | None = None
    mailing_date: str | None = None
    unique_tracking_id: str | None = None
    origin_zip_code: str | None = None
    destination_zip_code: str | None = None
    status: str | None = None
    status_category: str | None = None
    delivery_date_expectation: dict[str, JsonValue] | None = None


class TrackingUpdate(Model):
    """The record of `usps.tracking-updates.v1`."""

    update_id: UpdateId
    tracking_number: TrackingNumberText
    channel: Channel
    subscription_id: str | None
    mid: str | None
    mid_source: MidSource | None
    received_at: Instant
    reported_at: Instant | None = Field(description="When USPS says it made the callback.")
    barcode: "BarcodeFacts"
    flags: list[str]
    package: PackageFacts
    events: list[FeedEvent]
    original: str = Field(description="The payload text, verbatim.")


class BarcodeFacts(Model):
    """What the tracking number's own digits say: a cross-check, never a proof."""

    kind: str
    mid: str | None
    mid_status: str
    check_digit_ok: bool | None


def update_id(subscription_id: str, timestamp: str, payload: str) -> str:
    """The id of a callback: equal for an exact repeat. Parts carry their length."""
    digest = blake2b(digest_size=16)
    for part in (subscription_id, timestamp, payload):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big"))
        digest.update(encoded)
    return digest.hexdigest()
