"""What is seen, not declared: the records of `usps.observed.v1`, key `kind/id`."""

from enum import StrEnum

from schemas.event import Instant, Model
from schemas.registry.entities import TokenState


class ObservedKind(StrEnum):
    """The first part of an observed record's key."""

    SUBSCRIPTION = "subscription"
    DISABLED = "disabled"
    TOKEN = "token"  # noqa: S105 -- a kind, no secret
    START = "start"


class ObservedSubscription(Model):
    """The id that USPS gave a subscription, by our name."""

    subscription_id: str
    observed_at: Instant


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
