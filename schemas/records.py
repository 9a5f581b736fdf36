"""The records beside updates, events and states (contract, section 5)."""

from enum import StrEnum

from pydantic import Field, RootModel

from schemas.access import Reason
from schemas.event import Channel, EventId, Instant, Model, ScanEvent, TrackingNumberText


class Withheld(Model):
    """An event that a party may not have yet; merchant null: nobody is a candidate."""

    event: ScanEvent
    merchant: str | None
    reason: Reason
    withheld_at: Instant


class Released(Model):
    """The end of a withholding."""

    released: EventId
    merchant: str | None
    released_at: Instant


class WithheldRecord(RootModel[Withheld | Released]):
    """What `usps.withheld.v1` carries."""


class QuarantineReason(StrEnum):
    """Why a request was set aside."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MISMATCH = "signature_mismatch"
    TIMESTAMP_STALE = "timestamp_stale"
    UNKNOWN_SUBSCRIPTION = "unknown_subscription"
    PAYLOAD_UNREADABLE = "payload_unreadable"
    MID_CONTRADICTION = "mid_contradiction"
    RECORD_TOO_LARGE = "record_too_large"


class Quarantined(Model):
    """A request as it came, and why it did not become an update."""

    reason: QuarantineReason
    received_at: Instant
    subscription_id: str | None
    remote_address: str | None
    headers: dict[str, str]
    body_base64: str
    accepted: bool = Field(description="True: verified and answered 200.")
    update_id: str | None = Field(description="Of a verified callback.")


class AttemptOutcome(Model):
    """One delivery attempt, as a dead letter tells it."""

    at: Instant
    outcome: str
    status: int | None
    detail: str | None


class DeadLetter(Model):
    """A record that was given up on, and where it stands."""

    destination: str
    topic: str
    partition: int
    offset: int
    event: ScanEvent | None
    record_base64: str | None = Field(default=None, description="The bytes, when unreadable.")
    key: str | None = None
    attempts: list[AttemptOutcome]
    reason: str
    dead_lettered_at: Instant


class PartyDecision(Model):
    """What was decided for one party."""

    merchant: str | None
    allowed: bool
    grant: str | None = None
    reason: Reason | None = None


class DecisionCause(StrEnum):
    """Why an event was judged."""

    FIRST = "first"
    NEW_EVIDENCE = "new_evidence"
    RELEASE = "release"


class ObservedTokenUsed(Model):
    """A token whose state was seen at USPS, as it was when it decided."""

    token: str
    state: str
    expires_at: Instant | None


class Decision(Model):
    """One judgement of an event, every party considered."""

    event_id: EventId
    tracking_number: TrackingNumberText
    mid: str | None
    channel: Channel
    received_at: Instant
    revision: int
    decided_at: Instant
    cause: DecisionCause
    parties: list[PartyDecision]
    observed_tokens: list[ObservedTokenUsed] = Field(
        default_factory=list,
        description="Where what was seen of a token decided, not the registry.",
    )


class DeliveryOutcome(StrEnum):
    """How a delivery was settled."""

    ACCEPTED = "accepted"
    DEAD_LETTERED = "dead_lettered"
    FILTERED = "filtered"
    REVOKED = "revoked"
    LOST = "lost"


class Delivery(Model):
    """One settled delivery: the audit trail. Of several for one event the last counts."""

    destination: str
    merchant: str
    event_id: EventId | None = Field(description="Null only for a lost range.")
    tracking_number: TrackingNumberText | None
    topic: str
    partition: int
    offset: int
    grant: str | None
    outcome: DeliveryOutcome
    attempts: int
    first_attempt_at: Instant | None
    settled_at: Instant
    latency_seconds: float | None = Field(description="From the event's receipt to settling.")
    lost_through: int | None = Field(default=None, description="Last offset of a lost range.")


class CloudEventType(StrEnum):
    """`ce_type` of every record."""

    TRACKING_UPDATE = "usps.tracking_update"
    SCAN_EVENT = "usps.scan_event"
    PACKAGE_STATE = "usps.package_state"
    WITHHELD = "usps.withheld"
    QUARANTINE = "usps.quarantine"
    DEAD_LETTER = "usps.dead_letter"
    DECISION = "usps.decision"
    DELIVERY = "usps.delivery"
    REGISTRY_ENTITY = "usps.registry_entity"
    REGISTRY_REVISION = "usps.registry_revision"
    OBSERVED = "usps.observed"
