"""A request as it is sent, and what must be answered to it."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a request that is sent beside the proper ones."""

    BAD_SIGNATURE = "bad_signature"
    MISSING_SIGNATURE = "missing_signature"
    UNKNOWN_SUBSCRIPTION = "unknown_subscription"
    NOT_JSON = "not_json"
    NOT_AN_ENVELOPE = "not_an_envelope"
    UNREADABLE_PAYLOAD = "unreadable_payload"
    MID_CONTRADICTION = "mid_contradiction"
    ESCAPED_TWICE = "escaped_twice"
    REPEATED = "repeated"
    OUT_OF_ORDER = "out_of_order"


class Becomes(StrEnum):
    """What has to become of a request."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"  # and answered 200: verified, but of no use
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request.

    Attributes:
        update_id: Of a callback that is answered 200, else None.
        event_ids: Of the scan events in it, if they can be read.
        slug: Of the error answer that must come, or `accepted`.
        listener_url: Where to; None: where the simulator is told to call.
    """

    tracking_number: str
    subscription_id: str
    timestamp: str
    headers: dict[str, str]
    body: bytes
    fault: Fault | None
    becomes: Becomes
    status: int
    slug: str
    update_id: str | None
    event_ids: tuple[str, ...]
    listener_url: str | None = None
