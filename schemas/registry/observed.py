"""What is seen, not declared: the records of `usps.observed.v1`, key `kind/id`."""

from enum import StrEnum

from pydantic import Field

from schemas.event import Instant, Model
from schemas.registry.entities import TokenState


class ObservedKind(StrEnum):
    """The first part of an observed record's key."""

    SUBSCRIPTION = "subscription"
    DISABLED = "disabled"
    TOKEN = "token"  # noqa: S105 -- a kind, no secret
    START = "start"


class FormerSubscription(Model):
    """An id that a subscription had. Its late callbacks are still taken, for what it was for."""

    subscription_id: str
    account: str | None = None
    mid: str | None = None
    tracking_number: str | None = None
    ended_at: Instant | None = Field(default=None, description="Null: it may live at USPS yet.")


class ObservedSubscription(Model):
    """The id that USPS gave a subscription, by our name.

    `mid` or `tracking_number` is what it is for at USPS, which a new declaration does not
    change; neither: not known, as declared.
    """

    subscription_id: str
    observed_at: Instant
    account: str | None = Field(default=None, description="The USPS account it was made with.")
    mid: str | None = None
    tracking_number: str | None = None
    former: list[FormerSubscription] = Field(default_factory=list)


class ObservedDisabled(Model):
    """A destination that answered 410. It holds for the destination as declared then."""

    declared: str  # digest of the declaration: another declaration ends it
    reason: str
    observed_at: Instant


class ObservedToken(Model):
    """The state of a Merchant Access Token as last seen at USPS."""

    state: TokenState
    expires_at: Instant | None
    observed_at: Instant


class ObservedStart(Model):
    """Where a destination begins, per partition of its merchant's topic."""

    topic: str
    offsets: dict[str, int]
    declared_at: Instant
