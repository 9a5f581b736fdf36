"""A subscription as the registry wants it and as USPS has it; no secret is ever in one's text."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from pydantic import SecretStr

from schemas.registry.entities import Subscription

ENABLED: Final = "ENABLED"
SUSPENDED: Final = "SUSPENDED"
_MARK_TEXT: Final = b"scanwire: which secret is this"
_MARK_DIGITS: Final = 16


def secret_mark(secret: str) -> str:
    """Tells secrets apart without keeping them: no more than one callback's signature tells."""
    return hmac.digest(secret.encode(), _MARK_TEXT, "sha256").hex()[:_MARK_DIGITS]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a subscription is for. USPS changes no filter: another one is another subscription."""

    mid: str | None
    tracking_number: str | None
    event_types: frozenset[str]

    @property
    def subject(self) -> tuple[str | None, str | None]:
        """The MID or the number, whatever the event types."""
        return self.mid, self.tracking_number

    @property
    def text(self) -> str:
        """Equal for equal filters, e.g. `mid 912345678: ALL_UPDATES, PACKAGE_DELAYED`."""
        subject = f"mid {self.mid}" if self.mid else f"tracking number {self.tracking_number}"
        return f"{subject}: {', '.join(sorted(self.event_types))}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One subscription as declared, complete enough to be made at USPS.

    Attributes:
        declared_id: The id that the registry file names, if it does.
        secret: The newest one; USPS is to sign with it. None: it is yet to be generated.
        older_marks: Of the other declared secrets that can be resolved.
        more_secrets: How many secrets are declared after the newest one.
    """

    name: str
    account: str
    listener_url: str
    filter: EventFilter
    admin_emails: tuple[str, ...]
    declared_id: str | None = None
    secret: SecretStr | None = field(default=None, repr=False)
    older_marks: frozenset[str] = frozenset()
    more_secrets: int = 0

    @property
    def mark(self) -> str | None:
        """Of the newest secret."""
        return None if self.secret is None else secret_mark(self.secret.get_secret_value())


@dataclass(frozen=True, slots=True)
class UspsSubscription:
    """One subscription as USPS tells it. Times are USPS's own text.

    `echoed_mark`: USPS repeats secrets at times (reference of 2026-06); the mark is what is kept.
    """

    subscription_id: str
    listener_url: str
    status: str
    filter: EventFilter
    status_reason: str | None = None
    status_changed_at: str | None = None
    created_at: str | None = None
    expires_at: str | None = None
    echoed_mark: str | None = None

    def stands_for(self, wanted: Wanted) -> bool:
        """The same listener and the same MID or number: USPS takes no second one of those."""
        return (
            self.listener_url == wanted.listener_url
            and self.filter.subject == wanted.filter.subject
        )


def event_filter(declared: Subscription) -> EventFilter:
    """The filter as the registry declares it."""
    types = frozenset(event_type.value for event_type in declared.event_types)
    return EventFilter(declared.mid, declared.tracking_number, types)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A subscription with the ETag of this reading, good for one change within an hour."""

    subscription: UspsSubscription
    etag: str


@dataclass(frozen=True, slots=True)
class Created:
    """The answer to a creation. `fresh` False: USPS answered with one that was there (200)."""

    subscription_id: str
    fresh: bool


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a subscription lives: an id means nothing to another account."""

    account: str
    subscription_id: str

    @classmethod
    def all(cls, account: str, ids: Iterable[str]) -> list[Self]:
        """Several of one account."""
        return [cls(account, one) for one in ids]
