"""The equations hold for a sound run, and name by id what is missing in an unsound one."""

from typing import Any

import pytest

from processors.ledger.books import Books, Settled
from processors.ledger.equations import equations_of, still_wrong
from processors.ledger.fold import Range
from tests.processors.ledger.synthetic import ORDERS, RECEIVED, Run, event, event_id, good_run


def test_sound_run_balances() -> None:
    """Every equation of a run without loss holds, and its parts add up."""
    run = good_run()
    run.answered = {bytes.fromhex(event_id(100)), bytes.fromhex(event_id(101))}
    assert run.wrong() == {}
    for equation in run.equations().values():
        assert equation.left == sum(equation.right.values()), equation


def test_nothing_at_all_balances() -> None:
    """Before the first callback everything is zero, and holds."""
    assert Run().wrong() == {}
    assert all(equation.holds for equation in equations_of(Books()))


def test_lost_update_is_named() -> None:
    """A callback answered 200 that is in no topic breaks the first equation."""
    run = good_run()
    run.answered = {bytes.fromhex(event_id(number)) for number in (100, 101, 102)}
    assert run.wrong() == {"callbacks": {"missing": [event_id(102)]}}
    run.add("quarantine", {"accepted": False, "update_id": event_id(102)})
    assert run.wrong() == {"callbacks": {"missing": [event_id(102)]}}
    run.add("quarantine", {"accepted": True, "update_id": event_id(102)})
    assert run.wrong() == {}


def test_event_that_packages_lost_is_named() -> None:
    """An event of an update that packages has read must be published or known."""
    run = good_run()
    run.update(102, [1, 2, 3])
    assert run.wrong() == {"events": {"missing": [event_id(3)]}}


def test_event_of_an_unread_update_is_in_flight() -> None:
    """What packages has not reached yet is no loss."""
    run = good_run()
    run.update(102, [3])
    run.positions["packages"] = 2
    assert run.wrong() == {}
    assert run.books().updates.pending == 1


def test_event_known_to_the_state_alone_is_no_loss() -> None:
    """Scan-events forgets after 30 days; the state remembers the id longer."""
    run = good_run()
    run.update(102, [3])
    state: dict[str, Any] = {"tracking_number": "x", "event_ids": [event_id(3)]}
    run.add("packages", state | {"trimmed_through": None})
    assert run.wrong() == {}
    assert run.equations()["events"].right["remembered"] == 1


@pytest.mark.parametrize(
    ("trimmed_through", "sound"),
    [("2026-05-14T15:10:00.000Z", True), ("2026-05-14T15:09:59.999Z", False)],
)
def test_too_old_is_measured_at_the_state(trimmed_through: str, *, sound: bool) -> None:
    """An unknown event not later than where ids were forgotten counts as too old."""
    run = good_run()
    run.update(102, [3])
    state: dict[str, Any] = {"tracking_number": "9205591234567800000011", "event_ids": []}
    run.add("packages", state | {"trimmed_through": trimmed_through})
    assert (run.wrong() == {}) == sound
    assert run.equations()["events"].right["too_old"] == int(sound)


def test_events_of_dead_lettered_updates_are_excused() -> None:
    """What packages set aside is accounted for by its position."""
    run = good_run()
    run.update(102, [3])
    run.dead_letter("packages", "updates", 2)
    assert run.wrong() == {}
    assert run.equations()["events"].right["dead_lettered"] == 1


def test_invented_and_repeated_events_are_named() -> None:
    """A published event comes from an update, and comes twice only with new evidence."""
    run = good_run()
    run.add("scan_events", event(9))
    run.decision(9)
    run.withheld(9, None)
    run.add("scan_events", event(1, again=True))
    run.decision(1, "new_evidence", acme=True)
    assert run.wrong() == {"events": {"without_update": [event_id(9)]}}
    run.add("scan_events", event(2))
    assert run.wrong()["events"]["published_twice"] == [event_id(2)]


def test_event_without_a_decision_is_named() -> None:
    """What the router has read is decided, once, or dead-lettered."""
    run = good_run()
    run.update(102, [3])
    run.add("scan_events", event(3))
    assert run.wrong() == {"judgements": {"undecided": [event_id(3)]}}
    run.positions["router"] = 2
    assert run.wrong() == {}
    run.positions["router"] = 3
    run.dead_letter("router", "scan_events", 2)
    assert run.wrong() == {}


def test_two_first_decisions_are_named() -> None:
    """One judgement of an event is one decision."""
    run = good_run()
    run.decision(1, acme=True)
    assert run.wrong() == {"judgements": {"decided_twice": [event_id(1)]}}


def test_new_evidence_is_judged_as_often_as_it_came() -> None:
    """Neither more decisions than records with new evidence, nor fewer."""
    run = good_run()
    run.decision(1, "new_evidence", acme=True)
    assert run.wrong() == {"judgements": {"new_evidence_decided_twice": [event_id(1)]}}
    run.add("scan_events", event(1, again=True))
    assert run.wrong() == {}
    run.add("scan_events", event(1, again=True))
    assert run.wrong() == {"judgements": {"new_evidence_undecided": [event_id(1)]}}


def test_event_too_large_for_a_merchants_topic_is_excused() -> None:
    """The router dead-letters it: allowed, not sent, and accounted for."""
    run = good_run()
    run.topics["sent"].clear()
    assert run.wrong()["merchant acme"] == {"not_sent": [event_id(1)]}
    run.dead_letter("router", "scan_events", 0)
    assert "merchant acme" not in run.wrong()


def test_refused_event_must_wait_in_withheld() -> None:
    """Refused and set aside nowhere: it could never be released."""
    run = good_run()
    run.released(2, "acme")
    assert run.wrong() == {"withheld": {"not_set_aside": [event_id(2)]}}


def test_release_ends_the_entry() -> None:
    """Allowed at last: the entry ends, the event is sent and delivered."""
    run = good_run()
    run.decision(2, "release", acme=True)
    assert run.wrong()["withheld"] == {"not_released": [event_id(2)]}
    assert run.wrong()["merchant acme"] == {"not_sent": [event_id(2)]}
    run.released(2, "acme")
    run.add("sent", event(2))
    run.delivery(2)
    assert run.wrong() == {}


def test_refusal_for_nobody_ends_with_the_first_candidate() -> None:
    """A named party's decision replaces the one for nobody, whether its entry ended or not."""
    run = good_run()
    run.update(102, [3])
    run.add("scan_events", event(3))
    run.decision(3)
    run.withheld(3, None)
    assert run.wrong() == {}
    run.decision(3, "release", acme=False)
    assert run.wrong() == {"withheld": {"not_set_aside": [event_id(3)]}}
    run.withheld(3, "acme")
    assert run.wrong() == {}
    run.released(3, None)
    assert run.wrong() == {}


def test_revoked_delivery_waits_again() -> None:
    """A sink that refuses withholds: an open entry beside an allowed decision is sound then."""
    run = good_run()
    run.delivery(1, "revoked")
    run.withheld(1, "acme")
    assert run.wrong() == {}
    assert run.equations()[f"destination {ORDERS}"].right["revoked"] == 1


def test_event_sent_without_right_is_named() -> None:
    """A record on a merchant's topic that was never allowed is a leak."""
    run = good_run()
    run.add("sent", event(2))
    run.delivery(2)
    assert run.wrong() == {"merchant acme": {"sent_without_right": [event_id(2)]}}


def test_event_that_a_destination_passed_over_is_named() -> None:
    """Behind the destination's position each event has an outcome; before it, it is in flight."""
    run = good_run()
    run.topics["deliveries"].clear()
    assert run.wrong() == {f"destination {ORDERS}": {"passed_over": [event_id(1)]}}
    run.positions[ORDERS] = 0
    assert run.wrong() == {}
    assert run.equations()[f"destination {ORDERS}"].right["in_flight"] == 1


@pytest.mark.parametrize("outcome", ["filtered", "dead_lettered", "revoked"])
def test_every_outcome_settles(outcome: str) -> None:
    """Not only acceptance ends a delivery; of several the last counts."""
    run = good_run()
    run.delivery(1, outcome)
    counted = run.equations()[f"destination {ORDERS}"].right
    assert (counted[outcome], counted["accepted"]) == (1, 0)


def test_lost_range_settles_what_stood_in_it() -> None:
    """A range given up with --accept-loss is an outcome, for exactly its offsets."""
    run = good_run()
    run.topics["deliveries"].clear()
    run.delivery(None, "lost", offset=0, lost_through=4)
    assert run.wrong() == {}
    assert run.books().destinations[ORDERS].standing == {bytes.fromhex(event_id(1)): Settled.LOST}


def test_range_leaves_out_what_was_received_before() -> None:
    """Only events of the range are asked for."""
    run = good_run()
    run.update(102, [3], received_at="2026-05-13T00:00:00.000Z")
    period = Range(since=RECEIVED)
    assert all(found.holds for found in run.equations(period).values())
    assert run.equations(period)["events"].left == 2


def test_what_is_missing_once_only_was_a_race() -> None:
    """Only what two drawings-up both miss is told as wrong."""
    unsound = good_run()
    unsound.update(102, [3, 4])
    better = good_run()
    better.update(102, [4])
    told = still_wrong(equations_of(unsound.books()), equations_of(better.books()))
    wrong = [equation.wrong for equation in told if not equation.holds]
    assert wrong == [{"missing": frozenset({bytes.fromhex(event_id(4))})}]
