"""Who may see an event: every role, channel and condition, and the order of the reasons."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.access import (
    Access,
    Allowed,
    Reason,
    Subject,
    Withheld,
    authorize,
    candidates,
    without_candidate,
)
from schemas.event import Channel
from schemas.registry.entities import Entity
from schemas.registry.index import Registry
from schemas.registry.observed import ObservedToken
from tests.schemas.access_cases import (
    CASES,
    EVERY,
    NOW,
    OWNER,
    PLATFORM,
    RECEIVED,
    Case,
    as_owner,
    as_paid,
    as_platform,
)
from tests.schemas.registry.entities import (
    MID,
    NUMBER,
    granted,
    merchant,
    owned,
    paid,
    token,
)


def subject(channel: Channel = Channel.WEBHOOK, mid: str | None = MID, **more: Any) -> Subject:
    """One evidence of the piece."""
    given = {"mid_ambiguous": False, "received_at": RECEIVED, **more}
    return Subject(NUMBER, mid, given["mid_ambiguous"], channel, given["received_at"])


@pytest.mark.parametrize("channel", EVERY)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_role_channel_and_condition(case: Case, channel: Channel) -> None:
    """A party is allowed exactly where the rules say so, and told the reason elsewhere."""
    access = authorize(Registry(case.entities), subject(channel), "who", NOW)
    if channel in case.reasons:
        assert access == Withheld(case.reasons[channel])
    else:
        assert isinstance(access, Allowed)


def reason(entities: list[Entity], about: Subject | None = None) -> Access:
    """What is decided for `who`."""
    return authorize(Registry(entities), about or subject(), "who", NOW)


def test_the_grant_that_opens_it_is_named() -> None:
    """An owner's right has the MID in its name, a grant's is its id."""
    assert reason(as_owner(merchant("who"))) == Allowed(f"owner:{MID}")
    assert reason(as_paid(paid("who"), grant={"grant_id": "g-7"})) == Allowed("g-7")


def test_one_right_that_holds_is_enough() -> None:
    """A second grant opens what the first, expired one does not."""
    expired = granted("who", "old", until="2026-05-01")
    both = [OWNER, owned("owner"), paid("who"), expired, granted("who", "new")]
    assert reason(both) == Allowed("new")


def test_a_mid_that_changed_owner_is_each_ones_in_its_time() -> None:
    """What was received before the change is the former owner's, also now."""
    rows: list[Entity] = [
        merchant("who"),
        merchant("heir"),
        owned("who", until="2026-06-02"),
        owned("heir", **{"from": "2026-06-02"}),
    ]
    registry = Registry(rows)
    before, after = subject(), subject(received_at=RECEIVED + timedelta(days=1))
    assert isinstance(authorize(registry, before, "who", NOW), Allowed)
    assert authorize(registry, before, "heir", NOW) == Withheld(Reason.GRANT_NOT_STARTED)
    assert authorize(registry, after, "who", NOW) == Withheld(Reason.GRANT_EXPIRED)
    assert isinstance(authorize(registry, after, "heir", NOW), Allowed)


def test_a_removed_grant_covers_nothing_any_more() -> None:
    """Unlike one that ended by its date, for what was received before."""
    registry = Registry(as_paid(paid("who")))
    registry.remove("grant", "g")
    assert authorize(registry, subject(), "who", NOW) == Withheld(Reason.NO_GRANT)


def test_a_number_alone_opens_an_event_without_a_mid() -> None:
    """An answer of the Tracking API names no MID: grants by number still apply."""
    named = {"tracking_number": NUMBER}
    without_mid = subject(Channel.API, None)
    assert isinstance(reason(as_paid(paid("who"), grant=named), without_mid), Allowed)
    platform = as_platform(PLATFORM, token("who"), grant={**named, "reference": "t"})
    assert isinstance(reason(platform, without_mid), Allowed)


def test_a_platforms_grant_by_number_without_a_named_token_is_closed_without_a_mid() -> None:
    """Nobody can say whose token it would be."""
    grant = {"tracking_number": NUMBER}
    platform = as_platform(PLATFORM, token("who"), grant=grant)
    assert reason(platform, subject(Channel.API, None)) == Withheld(Reason.NO_MID)


# From the first reason told to the last: each case has the fault of its reason and all later ones.
ORDER = [
    (Reason.NO_MID, [merchant("who", terms_accepted_on=None)], subject(mid=None)),
    (
        Reason.AMBIGUOUS_MID,
        [merchant("who", terms_accepted_on=None)],
        subject(mid=None, mid_ambiguous=True),
    ),
    (
        Reason.UNKNOWN_MID,
        [merchant("who", terms_accepted_on=None), granted("who", until="2026-05-01")],
        subject(),
    ),
    (Reason.NO_GRANT, [OWNER, owned("owner"), merchant("who", terms_accepted_on=None)], subject()),
    (
        Reason.GRANT_EXPIRED,
        as_paid(
            merchant("who", terms_accepted_on=None),
            granted("who", "h", **{"from": "2026-07-01"}),
            grant={"until": "2026-05-01", "channels": ["api"]},
        ),
        subject(),
    ),
    (
        Reason.GRANT_NOT_STARTED,
        as_paid(
            merchant("who", terms_accepted_on=None),
            granted("who", "h", channels=["api"]),
            grant={"from": "2026-07-01", "channels": ["api"]},
        ),
        subject(),
    ),
    (
        Reason.CHANNEL_NOT_GRANTED,
        as_paid(
            merchant("who", terms_accepted_on=None),
            granted("who", "h"),
            grant={"channels": ["api"]},
        ),
        subject(),
    ),
    (
        Reason.TERMS_NOT_ACCEPTED,
        as_platform(merchant("who", "platform", terms_accepted_on=None)),
        subject(),
    ),
    (Reason.TOKEN_INACTIVE, as_platform(PLATFORM), subject()),
    (Reason.IP_AGREEMENT_MISSING, as_paid(merchant("who", "service_provider")), subject()),
    (Reason.EPS_ACCOUNT_MISSING, as_paid(paid("who", eps_account=None)), subject()),
]


@pytest.mark.parametrize(("first", "entities", "about"), ORDER, ids=[row[0] for row in ORDER])
def test_of_several_reasons_the_first_is_told(
    first: Reason, entities: list[Entity], about: Subject
) -> None:
    """The order of the contract decides, not the order of checking."""
    assert reason(entities, about) == Withheld(first)


def test_every_reason_stands_in_the_order() -> None:
    """The table above names the closed set, in its order."""
    assert [row[0] for row in ORDER] == list(Reason)


def test_candidates_are_owners_and_grantees_whenever_each_once() -> None:
    """Also of a period that is over or not begun: their reason is what they are told."""
    registry = Registry(
        [
            owned("owner", until="2020-01-01"),
            owned("heir", **{"from": "2020-01-01"}),
            granted("late", "g1", until="2020-01-01"),
            granted("late", "g2"),
            granted("owner", "g3"),
            granted("numbered", "g4", tracking_number=NUMBER),
            granted("stranger", "g5", mid="123456"),
        ]
    )
    assert candidates(registry, subject()) == ["owner", "heir", "late", "numbered"]
    assert candidates(registry, subject(mid=None)) == ["numbered"]


@pytest.mark.parametrize(
    ("entities", "about", "expected"),
    [
        ([], subject(mid=None), Reason.NO_MID),
        ([], subject(mid=None, mid_ambiguous=True), Reason.AMBIGUOUS_MID),
        ([], subject(), Reason.UNKNOWN_MID),
    ],
)
def test_nobody_at_all_has_a_reason_too(
    entities: list[Entity], about: Subject, expected: Reason
) -> None:
    """Without a candidate the event is withheld for the MID's sake."""
    assert without_candidate(Registry(entities), about) is expected


def test_what_was_seen_of_a_token_wins_over_its_declaration() -> None:
    """Its state and its expiry; only a declared revocation wins over what was seen."""
    declared = as_platform(PLATFORM, token("who", state="expired", expires_at="2026-05-01"))
    registry = Registry(declared)
    seen = {"state": "active", "observed_at": "2026-06-01T00:00:00Z", "expires_at": None}
    valid = ObservedToken.model_validate(seen | {"expires_at": "2027-01-01T00:00:00Z"})
    over = ObservedToken.model_validate(seen | {"expires_at": "2026-06-01T00:00:00Z"})
    withheld = Withheld(Reason.TOKEN_INACTIVE)
    assert authorize(registry, subject(), "who", NOW) == withheld
    registry.observe_token("t", valid)
    assert isinstance(authorize(registry, subject(), "who", NOW), Allowed)
    registry.observe_token("t", over)
    assert authorize(registry, subject(), "who", NOW) == withheld
    registry.observe_token("t", valid)
    registry.put(token("who", state="revoked"))
    assert authorize(registry, subject(), "who", NOW) == withheld
    registry.put(token("who", state="issued"))
    assert isinstance(authorize(registry, subject(), "who", NOW), Allowed)
    registry.observe_token("t", None)
    assert authorize(registry, subject(), "who", NOW) == withheld
