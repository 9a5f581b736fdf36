"""A subscription as USPS has it, and how its answers state it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import SecretStr

from receiver.simulator.scans import Shipper
from receiver.simulator.subscribers import Subscriber
from schemas.clock import rfc3339
from schemas.registry.entities import EventType, SignatureScheme

UNREACHABLE: Final = "Unable to reach listener"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a subscription may be without traffic until its owner is warned, and it is gone."""

    warning: timedelta = timedelta(days=25)
    deletion: timedelta = timedelta(days=30)

    @classmethod
    def at_speed(cls, speed: float) -> Self:
        """With days that pass so many times as fast."""
        return cls(cls().warning / speed, cls().deletion / speed)


class Status(StrEnum):
    """Whether USPS calls."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    SUSPENDED = "SUSPENDED"


@dataclass(frozen=True, slots=True)
class UspsSubscription:
    """What a client created, or what a registry file says it had created.

    Attributes:
        client_id: The application that it belongs to.
        name: Of the registry's, else its id.
        scheme: How its callbacks are signed; only registry files can say another one.
        declared: By a registry file: called where the simulator is told to call, until a client
            changes it; its URL may be one of production.
    """

    subscription_id: str
    client_id: str
    name: str
    listener_url: str
    secret: SecretStr
    emails: tuple[str, ...]
    shipper: Shipper
    event_types: tuple[EventType, ...]
    created_at: datetime
    changed_at: datetime
    status: Status = Status.ENABLED
    scheme: SignatureScheme = field(default_factory=SignatureScheme)
    declared: bool = False

    @property
    def is_called(self) -> bool:
        """Whether USPS calls it now."""
        return self.status is Status.ENABLED

    @property
    def subscriber(self) -> Subscriber:
        """Whom to call, and how."""
        return Subscriber(
            self.name,
            self.subscription_id,
            self.shipper,
            frozenset(self.event_types),
            self.scheme,
            self.secret,
            None if self.declared else self.listener_url,
        )


def stated(subscription: UspsSubscription, ends: datetime) -> dict[str, Any]:
    """As answers have it, the secret included: USPS's document does not hold it back."""
    told: dict[str, Any] = {
        "subscriptionId": subscription.subscription_id,
        "listenerURL": subscription.listener_url,
        "secret": subscription.secret.get_secret_value(),
        "status": subscription.status.value,
        "adminNotification": [{"email": email} for email in subscription.emails],
        "filterProperties": _filter(subscription),
        "creationTimestamp": rfc3339(subscription.created_at),
        "statusChangeTimestamp": rfc3339(subscription.changed_at),
        "expirationTimestamp": rfc3339(ends),
    }
    if subscription.status is Status.SUSPENDED:
        told["statusReason"] = UNREACHABLE
    return told


def _filter(subscription: UspsSubscription) -> dict[str, Any]:
    shipper = subscription.shipper
    number = shipper.tracking_number
    whose = {"MID": shipper.mid} if number is None else {"trackingNumber": number}
    return {**whose, "trackingEventTypes": [one.value for one in subscription.event_types]}
