"""What can only be seen of all entries together: USPS ids, references, overlaps, roles."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from processors.registry.entries import Declarations, Declared
from processors.registry.places import Findings
from schemas.registry.destinations import DestinationBase
from schemas.registry.entities import (
    Basis,
    Grant,
    Merchant,
    MerchantAccessToken,
    MidOwnership,
    Role,
    Subscription,
)

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_END: Final = datetime.max.replace(tzinfo=UTC)


def check_together(declared: Declarations, findings: Findings) -> None:
    """All checks across entries."""
    _check_usps_ids(declared, findings)
    _check_references(declared, findings)
    _check_overlaps(declared, findings)
    _check_roles(declared, findings)


def _check_usps_ids(declared: Declarations, findings: Findings) -> None:
    """Of two subscriptions with one id nobody could say whose callback it is."""
    first: dict[str, Declared] = {}
    for one in declared.of("subscription"):
        usps_id = one.entity.id if isinstance(one.entity, Subscription) else None
        if usps_id is None:
            continue
        before = first.setdefault(usps_id, one)
        if before is not one:
            text = f"{one} has the USPS id of {before} at {before.place}; correct one of them"
            findings.problem(one.place.within("id"), text)


def _check_references(declared: Declarations, findings: Findings) -> None:
    for one in declared.entities:
        for key, kind, name in _references(one):
            if not declared.has(kind, name):
                text = (
                    f"{one}: {key} {name!r} is declared nowhere; "
                    f"declare that {kind.replace('_', ' ')}, or correct the name"
                )
                findings.problem(one.place.within(key), text)
    for one in declared.of("subscription"):
        mid = one.entity.mid if isinstance(one.entity, Subscription) else None
        if mid is not None and not declared.has("mid", mid):
            text = f"{one}: nobody owns MID {mid}; its events will be withheld (unknown_mid)"
            findings.warning(one.place.within("mid"), text)


def _references(one: Declared) -> Iterator[tuple[str, str, str]]:
    """Key, kind and id of everything an entity leans on."""
    entity = one.entity
    match entity:
        case MidOwnership():
            yield "owner", "merchant", entity.owner
        case MerchantAccessToken():
            yield "merchant", "merchant", entity.merchant
            yield "platform", "merchant", entity.platform
            if entity.account is not None:
                yield "account", "usps_account", entity.account
        case Grant():
            yield "merchant", "merchant", entity.merchant
            if entity.mid is not None:
                yield "mid", "mid", entity.mid
            if entity.basis is Basis.MERCHANT_ACCESS_TOKEN and entity.reference is not None:
                yield "reference", "merchant_access_token", entity.reference
        case Subscription() if entity.account is not None:
            yield "account", "usps_account", entity.account
        case DestinationBase():
            yield "merchant", "merchant", entity.merchant


def _check_overlaps(declared: Declarations, findings: Findings) -> None:
    """Of one MID two parties would each be the owner: nobody could say whose mail it is."""
    rows: dict[str, list[tuple[datetime, datetime, Declared]]] = {}
    for one in declared.of("mid"):
        row = one.entity
        if isinstance(row, MidOwnership):
            period = (row.from_ or _BEGINNING, row.until or _END, one)
            rows.setdefault(row.mid, []).append(period)
    for mid, periods in rows.items():
        periods.sort(key=lambda period: period[:2])
        for (_, until, before), (begin, _, after) in pairwise(periods):
            if begin < until:
                text = (
                    f"MID {mid} is owned at the same time at {before.place}; "
                    "end one period (until) where the other begins (from)"
                )
                findings.problem(after.place, text)


def _check_roles(declared: Declarations, findings: Findings) -> None:
    """Roles that make a right useless: warnings, for roles may be corrected later."""
    merchants = {
        one.entity.id: one.entity
        for one in declared.of("merchant")
        if isinstance(one.entity, Merchant)
    }
    tokens = {
        one.entity.id: one.entity
        for one in declared.of("merchant_access_token")
        if isinstance(one.entity, MerchantAccessToken)
    }
    for one in declared.of("merchant_access_token"):
        token = one.entity
        if isinstance(token, MerchantAccessToken):
            _expect(one, "merchant", merchants.get(token.merchant), Role.SHIPPER, findings)
            _expect(one, "platform", merchants.get(token.platform), Role.PLATFORM, findings)
    for one in declared.of("grant"):
        grant = one.entity
        if not isinstance(grant, Grant) or grant.basis is not Basis.MERCHANT_ACCESS_TOKEN:
            continue
        _expect(one, "merchant", merchants.get(grant.merchant), Role.PLATFORM, findings)
        named = tokens.get(grant.reference or "")
        if named is not None and named.platform != grant.merchant:
            text = f"{one}: {named.id} is a token of {named.platform}, not of {grant.merchant}"
            findings.warning(one.place.within("reference"), f"{text}; it opens nothing")


def _expect(
    one: Declared, key: str, merchant: Merchant | None, role: Role, findings: Findings
) -> None:
    if merchant is not None and merchant.role is not role:
        text = (
            f"{one}: {key} {merchant.id} is a {merchant.role.value}, not a {role.value}; "
            "such a token opens nothing"
        )
        findings.warning(one.place.within(key), text)
