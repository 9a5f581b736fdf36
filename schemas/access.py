"""Who may see an event. `authorize` is the only place that decides; it is pure and total.

Rules: USPS's Tracking API Access Control Changes of 2026-04-01 (its page "USPS API Access").

| role | webhook, Tracking API | Scan Event Extract | IV-MTR |
|---|---|---|---|
| owner of the MID | terms | terms | terms |
| platform with a grant | terms, active access token of the owner | terms | terms |
| anyone else with a grant | terms, IP agreement, EPS account | the same | terms |

Periods of ownership and grants must cover the event's receipt; terms, token, agreement and
account are judged at the moment of release or delivery. What is removed or revoked ends at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from schemas.event import Channel
from schemas.registry.entities import (
    Basis,
    Grant,
    Merchant,
    MerchantAccessToken,
    MidOwnership,
    Role,
    TokenState,
)
from schemas.registry.index import Registry


class Reason(StrEnum):
    """Why an event is withheld. Of several, the first in this order is told."""

    NO_MID = "no_mid"
    AMBIGUOUS_MID = "ambiguous_mid"
    UNKNOWN_MID = "unknown_mid"
    NO_GRANT = "no_grant"
    GRANT_EXPIRED = "grant_expired"
    GRANT_NOT_STARTED = "grant_not_started"
    CHANNEL_NOT_GRANTED = "channel_not_granted"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    TOKEN_INACTIVE = "token_inactive"  # noqa: S105 -- a slug, no secret
    IP_AGREEMENT_MISSING = "ip_agreement_missing"
    EPS_ACCOUNT_MISSING = "eps_account_missing"


_ORDER: Final = {reason: position for position, reason in enumerate(Reason)}
_ASKED: Final = frozenset({Channel.WEBHOOK, Channel.API})


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: one evidence of one event. `received_at` is aware, in UTC."""

    tracking_number: str
    mid: str | None
    mid_ambiguous: bool
    channel: Channel
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Allowed:
    """The party may see it, by this grant (its id, or `owner:<mid>`)."""

    grant: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """The party may not see it now."""

    reason: Reason


Access = Allowed | Withheld


def candidates(registry: Registry, subject: Subject) -> list[str]:
    """Merchants that own, or have any grant for, the MID or the number, whenever; no repeats."""
    found: dict[str, None] = {}
    if subject.mid is not None:
        for row in registry.owners(subject.mid):
            found[row.owner] = None
        for grant in registry.grants_of_mid(subject.mid):
            found[grant.merchant] = None
    for grant in registry.grants_of_number(subject.tracking_number):
        found[grant.merchant] = None
    return list(found)


def without_candidate(registry: Registry, subject: Subject) -> Reason:
    """Why nobody at all is a candidate."""
    return _mid_reason(registry, subject) or Reason.NO_GRANT


def authorize(registry: Registry, subject: Subject, merchant_id: str, at: datetime) -> Access:
    """May this merchant see this event at this moment? Never raises."""
    merchant = registry.merchant(merchant_id)
    if merchant is None:
        return Withheld(Reason.NO_GRANT)
    reasons = []
    for grant, reason in _judged(registry, subject, merchant, at):
        if reason is None:
            return Allowed(grant)
        reasons.append(reason)
    mid_reason = _mid_reason(registry, subject)
    if mid_reason is not None:
        reasons.append(mid_reason)
    return Withheld(min(reasons, key=_ORDER.__getitem__, default=Reason.NO_GRANT))


def _judged(
    registry: Registry, subject: Subject, merchant: Merchant, at: datetime
) -> Iterator[tuple[str, Reason | None]]:
    """Each right the merchant might have, with why it does not hold (None: it holds)."""
    if subject.mid is not None:
        for row in registry.owners(subject.mid):
            if row.owner == merchant.id:
                yield f"owner:{row.mid}", _why_not_owner(row, subject, merchant, at)
        yield from _judged_grants(
            registry, registry.grants_of_mid(subject.mid), subject, merchant, at
        )
    yield from _judged_grants(
        registry, registry.grants_of_number(subject.tracking_number), subject, merchant, at
    )


def _judged_grants(
    registry: Registry,
    grants: Iterable[Grant],
    subject: Subject,
    merchant: Merchant,
    at: datetime,
) -> Iterator[tuple[str, Reason | None]]:
    for grant in grants:
        if grant.merchant == merchant.id:
            yield grant.id, _why_not_granted(registry, grant, subject, merchant, at)


def _mid_reason(registry: Registry, subject: Subject) -> Reason | None:
    if subject.mid is None:
        return Reason.AMBIGUOUS_MID if subject.mid_ambiguous else Reason.NO_MID
    return None if any(True for _ in registry.owners(subject.mid)) else Reason.UNKNOWN_MID


def _outside(period: MidOwnership | Grant, received_at: datetime) -> Reason | None:
    if period.until is not None and received_at >= period.until:
        return Reason.GRANT_EXPIRED
    if period.from_ is not None and received_at < period.from_:
        return Reason.GRANT_NOT_STARTED
    return None


def _terms_missing(merchant: Merchant, at: datetime) -> Reason | None:
    if merchant.terms_accepted_on is None or merchant.terms_accepted_on > at:
        return Reason.TERMS_NOT_ACCEPTED
    return None


def _why_not_owner(
    row: MidOwnership, subject: Subject, merchant: Merchant, at: datetime
) -> Reason | None:
    return _outside(row, subject.received_at) or _terms_missing(merchant, at)


def _why_not_granted(
    registry: Registry, grant: Grant, subject: Subject, merchant: Merchant, at: datetime
) -> Reason | None:
    reason = _outside(grant, subject.received_at)
    if reason is None and subject.channel not in grant.channels:
        reason = Reason.CHANNEL_NOT_GRANTED
    reason = reason or _terms_missing(merchant, at)
    if reason is not None or subject.channel is Channel.IV_MTR:
        return reason
    if merchant.role is Role.PLATFORM:
        if subject.channel in _ASKED and not _token_active(registry, grant, subject, at):
            return Reason.TOKEN_INACTIVE
        return None
    return _agreement_missing(merchant, at)


def tokens_asked(
    registry: Registry, subject: Subject, merchant_id: str
) -> Iterator[MerchantAccessToken]:
    """The tokens that decide for this merchant, if it is a platform; some may be told twice."""
    for grant in (
        *(registry.grants_of_mid(subject.mid) if subject.mid is not None else ()),
        *registry.grants_of_number(subject.tracking_number),
    ):
        if grant.merchant == merchant_id:
            yield from _tokens_of_grant(registry, grant, subject)


def _token_active(registry: Registry, grant: Grant, subject: Subject, at: datetime) -> bool:
    return any(
        token.state is TokenState.ACTIVE and (token.expires_at is None or at < token.expires_at)
        for token in _tokens_of_grant(registry, grant, subject)
    )


def _tokens_of_grant(
    registry: Registry, grant: Grant, subject: Subject
) -> Iterator[MerchantAccessToken]:
    """Tokens of who owned the MID at receipt; for a number alone, the one the grant names."""
    named = None
    if grant.basis is Basis.MERCHANT_ACCESS_TOKEN and grant.reference is not None:
        named = registry.token(grant.reference)
        if named is None or named.platform != grant.merchant:
            return
    if subject.mid is None:
        if named is not None:
            yield named
        return
    for row in registry.owners(subject.mid):
        if _outside(row, subject.received_at) is not None:
            continue
        if named is None:
            yield from registry.tokens_between(row.owner, grant.merchant)
        elif named.merchant == row.owner:
            yield named


def _agreement_missing(merchant: Merchant, at: datetime) -> Reason | None:
    """A paid party needs a signed IP agreement in force, and an EPS account."""
    agreement = merchant.ip_agreement
    if (
        agreement is None
        or (agreement.from_ is not None and at < agreement.from_)
        or (agreement.until is not None and at >= agreement.until)
    ):
        return Reason.IP_AGREEMENT_MISSING
    return None if merchant.eps_account else Reason.EPS_ACCOUNT_MISSING
