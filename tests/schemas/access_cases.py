"""The truth table of access: a merchant `who` of each role under each condition."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.access import Reason
from schemas.event import Channel
from schemas.registry.entities import Entity
from tests.schemas.registry.entities import NUMBER, granted, merchant, owned, paid, token

RECEIVED = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 6, 2, tzinfo=UTC)
EVERY = tuple(Channel)
ASKED = (Channel.WEBHOOK, Channel.API)  # where a platform needs a token
PAID = (Channel.WEBHOOK, Channel.API, Channel.SCAN_EVENT_EXTRACT)  # where others pay
OWNER = merchant("owner")


class Case(NamedTuple):
    """A merchant `who` under one condition; `reasons` says on which channels it is withheld."""

    name: str
    entities: list[Entity]
    reasons: dict[Channel, Reason]


def on(channels: tuple[Channel, ...], reason: Reason) -> dict[Channel, Reason]:
    """The reason on these channels; on the others it is allowed."""
    return dict.fromkeys(channels, reason)


def as_owner(*more: Entity, row: dict[str, Any] | None = None) -> list[Entity]:
    """`who` owns the MID."""
    return [*more, owned("who", **(row or {}))]


def as_platform(*more: Entity, grant: dict[str, Any] | None = None) -> list[Entity]:
    """`who` is a platform with a grant for the owner's MID."""
    given = {"basis": "merchant_access_token", **(grant or {})}
    return [OWNER, owned("owner"), granted("who", **given), *more]


def as_paid(*more: Entity, grant: dict[str, Any] | None = None) -> list[Entity]:
    """`who` has a grant for the owner's MID and is neither owner nor platform."""
    return [OWNER, owned("owner"), granted("who", **(grant or {})), *more]


PLATFORM = merchant("who", "platform")
OWNER_CASES = [
    Case("in order", as_owner(merchant("who")), {}),
    Case("a platform that owns it, without a token", as_owner(merchant("who", "platform")), {}),
    Case(
        "a provider that owns it, without an agreement",
        as_owner(merchant("who", "service_provider")),
        {},
    ),
    Case(
        "terms never accepted",
        as_owner(merchant("who", terms_accepted_on=None)),
        on(EVERY, Reason.TERMS_NOT_ACCEPTED),
    ),
    Case(
        "terms accepted later",
        as_owner(merchant("who", terms_accepted_on="2026-06-03")),
        on(EVERY, Reason.TERMS_NOT_ACCEPTED),
    ),
    Case(
        "terms accepted between receipt and now",
        as_owner(merchant("who", terms_accepted_on="2026-06-02")),
        {},
    ),
    Case(
        "owner from later on",
        as_owner(merchant("who"), row={"from": "2026-06-02"}),
        on(EVERY, Reason.GRANT_NOT_STARTED),
    ),
    Case(
        "owner until earlier",
        as_owner(merchant("who"), row={"until": "2026-06-01"}),
        on(EVERY, Reason.GRANT_EXPIRED),
    ),
    Case(
        "owner until after the receipt", as_owner(merchant("who"), row={"until": "2026-06-02"}), {}
    ),
    Case(
        "owner from the receipt on",
        as_owner(merchant("who"), row={"from": "2026-06-01T12:00:00Z"}),
        {},
    ),
    Case(
        "owner until the receipt, which is exclusive",
        as_owner(merchant("who"), row={"until": "2026-06-01T12:00:00Z"}),
        on(EVERY, Reason.GRANT_EXPIRED),
    ),
]
PLATFORM_CASES = [
    Case("with an active token", as_platform(PLATFORM, token("who")), {}),
    Case("without a token", as_platform(PLATFORM), on(ASKED, Reason.TOKEN_INACTIVE)),
    *(
        Case(
            f"token {state}",
            as_platform(PLATFORM, token("who", state=state)),
            on(ASKED, Reason.TOKEN_INACTIVE),
        )
        for state in ("issued", "refresh_due", "expired", "revoked")
    ),
    Case(
        "token expired by its date",
        as_platform(PLATFORM, token("who", expires_at="2026-06-01T23:59:59Z")),
        on(ASKED, Reason.TOKEN_INACTIVE),
    ),
    Case(
        "token that expires later",
        as_platform(PLATFORM, token("who", expires_at="2026-06-02T00:00:01Z")),
        {},
    ),
    Case(
        "token of another shipper",
        as_platform(PLATFORM, merchant("else"), token("who", merchant="else")),
        on(ASKED, Reason.TOKEN_INACTIVE),
    ),
    Case(
        "another platform's token",
        as_platform(PLATFORM, token("else")),
        on(ASKED, Reason.TOKEN_INACTIVE),
    ),
    Case(
        "the grant names another token",
        as_platform(PLATFORM, token("who", "t"), grant={"reference": "u"}),
        on(ASKED, Reason.TOKEN_INACTIVE),
    ),
    Case(
        "the grant names the token",
        as_platform(PLATFORM, token("who", "t"), grant={"reference": "t"}),
        {},
    ),
    Case(
        "terms not accepted",
        as_platform(merchant("who", "platform", terms_accepted_on=None), token("who")),
        on(EVERY, Reason.TERMS_NOT_ACCEPTED),
    ),
    Case(
        "grant ended before the receipt",
        as_platform(PLATFORM, token("who"), grant={"until": "2026-06-01"}),
        on(EVERY, Reason.GRANT_EXPIRED),
    ),
    Case(
        "grant ended after the receipt",
        as_platform(PLATFORM, token("who"), grant={"until": "2026-06-01T12:00:01Z"}),
        {},
    ),
    Case(
        "grant began after the receipt",
        as_platform(PLATFORM, token("who"), grant={"from": "2026-06-02"}),
        on(EVERY, Reason.GRANT_NOT_STARTED),
    ),
    Case(
        "grant for webhooks only",
        as_platform(PLATFORM, token("who"), grant={"channels": ["webhook"]}),
        on((Channel.API, Channel.SCAN_EVENT_EXTRACT, Channel.IV_MTR), Reason.CHANNEL_NOT_GRANTED),
    ),
]
PAID_CASES = [
    case
    for role in ("service_provider", "shipper")
    for case in [
        Case(f"{role} in order", as_paid(paid("who", role)), {}),
        Case(
            f"{role} without agreement",
            as_paid(paid("who", role, ip_agreement=None)),
            on(PAID, Reason.IP_AGREEMENT_MISSING),
        ),
        Case(
            f"{role} with an agreement that begins later",
            as_paid(paid("who", role, ip_agreement={"reference": "x", "from": "2026-06-03"})),
            on(PAID, Reason.IP_AGREEMENT_MISSING),
        ),
        Case(
            f"{role} with an agreement that has ended",
            as_paid(paid("who", role, ip_agreement={"reference": "x", "until": "2026-06-02"})),
            on(PAID, Reason.IP_AGREEMENT_MISSING),
        ),
        Case(
            f"{role} without account",
            as_paid(paid("who", role, eps_account=None)),
            on(PAID, Reason.EPS_ACCOUNT_MISSING),
        ),
        Case(
            f"{role} without agreement and account",
            as_paid(merchant("who", role)),
            on(PAID, Reason.IP_AGREEMENT_MISSING),
        ),
        Case(
            f"{role} without terms",
            as_paid(paid("who", role, terms_accepted_on=None)),
            on(EVERY, Reason.TERMS_NOT_ACCEPTED),
        ),
        Case(
            f"{role} with a grant for the extract only",
            as_paid(paid("who", role), grant={"channels": ["scan_event_extract"]}),
            on((Channel.WEBHOOK, Channel.API, Channel.IV_MTR), Reason.CHANNEL_NOT_GRANTED),
        ),
        Case(
            f"{role} with a grant that has expired",
            as_paid(paid("who", role), grant={"until": "2026-05-01"}),
            on(EVERY, Reason.GRANT_EXPIRED),
        ),
        Case(
            f"{role} with a grant by tracking number",
            as_paid(paid("who", role), grant={"tracking_number": NUMBER}),
            {},
        ),
    ]
]
NOBODY_CASES = [
    Case(
        "a merchant without any right",
        [OWNER, owned("owner"), merchant("who")],
        on(EVERY, Reason.NO_GRANT),
    ),
    Case("no such merchant", [OWNER, owned("owner"), granted("who")], on(EVERY, Reason.NO_GRANT)),
]
CASES = [*OWNER_CASES, *PLATFORM_CASES, *PAID_CASES, *NOBODY_CASES]
