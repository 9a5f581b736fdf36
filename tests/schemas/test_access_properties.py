"""Whatever the registry and the event: a decision is made, and none without a right."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.access import Reason, Subject, Withheld, authorize, candidates
from schemas.event import Channel
from schemas.registry.entities import Entity
from schemas.registry.index import Registry
from tests.schemas.registry.entities import MID, NUMBER, granted, merchant, owned, token

RECEIVED = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 6, 2, tzinfo=UTC)
EVERY = tuple(Channel)
MERCHANTS = ("a", "b", "c")
TIMES = st.sampled_from([None, "2026-05-01", "2026-06-01T12:00:00Z", "2026-07-01"])
MIDS = st.sampled_from([MID, "123456"])


@st.composite
def periods(draw: st.DrawFn) -> dict[str, Any]:
    """None, one or both ends."""
    ends = sorted(end for end in {draw(TIMES), draw(TIMES)} if end is not None)
    if len(ends) == 2:
        return {"from": ends[0], "until": ends[1]}
    return {draw(st.sampled_from(["from", "until"])): end for end in ends}


ROLES = st.sampled_from(["shipper", "platform", "service_provider"])
NAMES = st.sampled_from(MERCHANTS)
SUBJECT_KEYS = st.sampled_from([{"mid": MID}, {"mid": "123456"}, {"tracking_number": NUMBER}])
AGREEMENTS = st.none() | periods().map(lambda period: {"reference": "r", **period})
PARTIES = st.fixed_dictionaries(
    {
        "terms_accepted_on": TIMES,
        "eps_account": st.sampled_from([None, "1"]),
        "ip_agreement": AGREEMENTS,
    }
)
GRANTS = st.fixed_dictionaries(
    {
        "basis": st.sampled_from(["merchant_access_token", "ip_agreement"]),
        "reference": st.sampled_from([None, "t0", "t1"]),
        "channels": st.lists(st.sampled_from(EVERY), min_size=1, unique=True),
    }
)
TOKENS = st.fixed_dictionaries(
    {
        "merchant": NAMES,
        "state": st.sampled_from(["active", "revoked", "issued"]),
        "expires_at": TIMES,
    }
)


@st.composite
def registries(draw: st.DrawFn) -> list[Entity]:
    """Merchants, rows, grants and tokens in any combination."""
    names = draw(st.lists(NAMES, unique=True))
    entities: list[Entity] = [merchant(name, draw(ROLES), **draw(PARTIES)) for name in names]
    entities += [
        owned(draw(NAMES), mid, **draw(periods())) for mid in draw(st.lists(MIDS, unique=True))
    ]
    entities += [
        granted(draw(NAMES), f"g{index}", **draw(SUBJECT_KEYS), **draw(periods()), **draw(GRANTS))
        for index in range(draw(st.integers(0, 3)))
    ]
    entities += [
        token(draw(NAMES), f"t{index}", **draw(TOKENS)) for index in range(draw(st.integers(0, 2)))
    ]
    return entities


SUBJECTS = st.builds(
    Subject,
    tracking_number=st.sampled_from([NUMBER, "other"]),
    mid=st.none() | MIDS,
    mid_ambiguous=st.booleans(),
    channel=st.sampled_from(EVERY),
    received_at=st.sampled_from([RECEIVED, RECEIVED - timedelta(days=60)]),
)


@given(registries(), SUBJECTS)
def test_nothing_is_ever_allowed_without_an_owners_row_or_a_grant(
    entities: list[Entity], about: Subject
) -> None:
    """For any registry a decision is made, and one that allows names a right that covers it."""
    registry = Registry(entities)
    for name in (*MERCHANTS, "nobody"):
        access = authorize(registry, about, name, NOW)
        if isinstance(access, Withheld):
            assert access.reason in Reason
            continue
        assert name in candidates(registry, about)
        if access.grant.startswith("owner:"):
            rights: list[Any] = [
                row for row in registry.owners(about.mid or "") if row.owner == name
            ]
        else:
            grant: Any = registry.get("grant", access.grant)
            assert about.channel in grant.channels
            assert grant.merchant == name
            assert grant.mid == about.mid or grant.tracking_number == about.tracking_number
            rights = [grant]
        assert any(
            (right.from_ is None or right.from_ <= about.received_at)
            and (right.until is None or about.received_at < right.until)
            for right in rights
        )
        party = registry.merchant(name)
        assert party is not None
        assert party.terms_accepted_on is not None
        assert party.terms_accepted_on <= NOW
