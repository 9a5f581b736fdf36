"""Who is considered for an event, who gets it, and how much of it."""

from datetime import UTC, datetime
from typing import Any

from processors.router.judge import Judgement, Party, judge
from schemas.access import Reason
from schemas.records import DecisionCause
from schemas.registry.entities import Entity
from schemas.registry.index import Registry
from tests.processors.router.events import evidence, routed, scan_event
from tests.schemas.registry.entities import MID, NUMBER, granted, merchant, owned, paid

NOW = datetime(2026, 6, 2, tzinfo=UTC)
OWNED: list[Entity] = [merchant("owner"), owned("owner")]


def judged(event: dict[str, Any], *entities: Entity) -> Judgement:
    """By a registry of these entities."""
    return judge(routed(event), Registry(entities), NOW)


def test_each_candidate_is_decided_for_itself() -> None:
    """Owners and holders of any grant, allowed or with their reason."""
    judgement = judged(
        scan_event(),
        *OWNED,
        merchant("waiting", "service_provider"),
        granted("waiting"),
        paid("paying"),
        granted("paying", "p", channels=["webhook"]),
    )
    assert judgement == Judgement(
        DecisionCause.FIRST,
        [
            Party("owner", f"owner:{MID}", None, True),
            Party("waiting", None, Reason.IP_AGREEMENT_MISSING),
            Party("paying", "p", None, True),
        ],
    )


def test_an_event_that_concerns_nobody_is_withheld_once_from_nobody() -> None:
    """With the reason that lies in its MID."""
    for own, reason in [
        (evidence(), Reason.UNKNOWN_MID),
        (evidence(mid=None), Reason.NO_MID),
    ]:
        assert judged(scan_event(own)).parties == [Party(None, None, reason)]


def test_new_evidence_is_judged_only_for_those_who_had_no_right_before() -> None:
    """The owner has the event already and is not named; the other now gets it."""
    before, now = evidence("webhook"), evidence("api")
    judgement = judged(
        scan_event(now, before=(before,)), *OWNED, paid("late"), granted("late", channels=["api"])
    )
    assert judgement.cause is DecisionCause.NEW_EVIDENCE
    assert [(party.merchant, party.grant) for party in judgement.parties] == [("late", "g")]


def test_new_evidence_that_opens_it_for_nobody_new_is_a_decision_without_parties() -> None:
    """It was judged all the same."""
    event = scan_event(evidence("api"), before=(evidence(),))
    assert judged(event, *OWNED) == Judgement(DecisionCause.NEW_EVIDENCE, [])


def test_new_evidence_withholds_again_from_those_who_still_have_no_right() -> None:
    """Their reason is that of the new evidence."""
    event = scan_event(evidence("api"), before=(evidence(),))
    judgement = judged(event, *OWNED, paid("who"), granted("who", channels=["iv_mtr"]))
    assert judgement.parties == [Party("who", None, Reason.CHANNEL_NOT_GRANTED)]


def test_a_right_that_came_later_lets_earlier_evidence_count() -> None:
    """What matters is whom earlier evidence allows now: release is another matter."""
    event = scan_event(evidence("api"), before=(evidence(),))
    assert not judged(event, *OWNED, paid("who"), granted("who")).parties[1:]


def test_new_evidence_without_candidates_is_withheld_from_nobody() -> None:
    """Whoever had a right by earlier evidence is not judged by this one."""
    event = scan_event(evidence("api", None), before=(evidence(),))
    assert judged(event, *OWNED).parties == [Party(None, None, Reason.NO_MID)]


def test_derived_fields_are_for_those_who_may_have_all_evidence_of_the_piece() -> None:
    """They would tell of scans that a party may not see."""
    mine, others = evidence(), evidence("webhook", "123456")
    entities: list[Entity] = [*OWNED, merchant("other"), owned("other", "123456")]
    (party,) = judged(scan_event(mine, piece=[mine, others]), *entities).parties
    assert (party.merchant, party.derived) == ("owner", False)
    (party,) = judged(scan_event(mine, piece=[mine]), *entities).parties
    assert party.derived
    (party,) = judged(scan_event(mine) | {"piece_evidence": None}, *entities).parties
    assert not party.derived


def test_evidence_of_the_piece_is_judged_by_its_own_receipt() -> None:
    """An earlier one of the same channel and MID may lie before the owner's time."""
    old = evidence(received_at="2026-01-01T00:00:00.000Z")
    event = scan_event(evidence(), piece=[old])
    (party,) = judged(event, merchant("heir"), owned("heir", **{"from": "2026-05-01"})).parties
    assert (party.grant, party.derived) == (f"owner:{MID}", False)


def test_a_grant_by_number_opens_an_event_without_mid() -> None:
    """An answer of the Tracking API names none."""
    grant = granted("who", tracking_number=NUMBER)
    (party,) = judged(scan_event(evidence("api", None)), paid("who"), grant).parties
    assert (party.grant, party.derived) == ("g", True)
