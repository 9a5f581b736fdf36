"""The checks of a finished run hold for a sound one and name what is wrong in another."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.demo.metrics import Reading
from deploy.demo.summary import summary_lines
from deploy.demo.truth import Truth, read_truth
from deploy.demo.verify import Outcome, checks_of, wrong_of
from processors.ledger.books import Books, DestinationBook, Settled, id_of
from schemas.registry.entities import Merchant, MidOwnership, Subscription
from schemas.registry.index import Registry, parse_entity

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ONE, TWO = f"{1:032x}", f"{2:032x}"
REGISTRY = Registry(
    [
        Merchant.model_validate(
            {"id": "acme", "name": "A", "role": "shipper", "terms_accepted_on": "2026-01-01"}
        ),
        Merchant.model_validate({"id": "newshop", "name": "N", "role": "shipper"}),
        MidOwnership.model_validate({"mid": "912345678", "owner": "acme"}),
        MidOwnership.model_validate({"mid": "987654321", "owner": "newshop"}),
        Subscription.model_validate(
            {"id": "s-1", "name": "one", "mid": "912345678", "secrets": ["env:A"]}
        ),
        Subscription.model_validate(
            {"id": "s-2", "name": "two", "mid": "987654321", "secrets": ["env:A"]}
        ),
        parse_entity(
            "destination",
            {
                "id": "acme-orders",
                "merchant": "acme",
                "kind": "http",
                "url": "https://orders.example/",
                "signing_secrets": ["env:B"],
                "categories": ["delivered"],
            },
        ),
    ]
)


def callback(event_id: str, subscription: str, **changes: Any) -> dict[str, Any]:
    """A line of the record."""
    return {
        "kind": "callback",
        "tracking_number": f"number-{event_id[-1]}",
        "subscription_id": subscription,
        "update_id": event_id,
        "event_ids": [event_id],
        "fault": None,
        "becomes": "published",
        "expected": {"status": 200, "slug": "accepted"},
        "status": 200,
        "slug": "accepted",
        "as_expected": True,
        "attempts": 1,
    } | changes


def journey(event_id: str, code: str) -> dict[str, Any]:
    """A line of the record."""
    scans = [
        {"event_id": event_id, "event_code": code, "at": "2026-11-20T10:00:00Z"},
        {"event_id": "f" * 32, "event_code": "MA", "at": "2026-11-21T10:00:00Z"},
    ]
    return {
        "kind": "journey",
        "tracking_number": f"number-{event_id[-1]}",
        "oddities": ["late_sync"],
        "pieces": [{"scans": scans}],
    }


def truth(tmp_path: Path, *more: dict[str, Any]) -> Truth:
    """The truth of a run with a delivery for acme and one for newshop."""
    lines = [
        journey(ONE, "01"),
        journey(TWO, "01"),
        callback(ONE, "s-1"),
        callback(TWO, "s-2"),
        *more,
        {"kind": "summary"},
    ]
    record = tmp_path / "record.jsonl"
    record.write_bytes(b"\n".join(map(orjson.dumps, lines)) + b"\n")
    return read_truth(record, REGISTRY, NOW)


def outcome(told: Truth) -> Outcome:
    """A run in which everything went as it must."""
    one, two = id_of(ONE), id_of(TWO)
    books = Books(answered=told.answered)
    books.updates.update_ids |= {one, two}
    books.updates.events |= {one, two}
    books.events.known |= {one, two}
    books.events.judged |= {one, two}
    books.decisions.first |= {one, two}
    books.decisions.party("acme").decide(one, allowed=True)
    books.decisions.party("newshop").decide(two, allowed=False)
    books.decisions.party("newshop").withheld.add(two)
    books.sent = {"acme": {one}, "newshop": set()}
    orders = books.destinations["acme-orders"] = DestinationBook("acme-orders", "acme")
    orders.outcomes[one] = orders.standing[one] = Settled.ACCEPTED
    merchants = {
        "acme-orders": {
            "verified": 1,
            "out_of_order": 0,
            "leaks": 0,
            "refused": {},
            "latency_seconds": {"p50": 0.01, "p99": 0.02},
        }
    }
    reading = Reading(answers={"accepted": 2}, merchants=merchants)
    states = {"number-1": "delivered", "number-2": "delivered"}
    return Outcome(told, books, {"acme-orders": {one}}, states, reading)


def test_truth_follows_from_record_and_registry(tmp_path: Path) -> None:
    """Who may see what is worked out without asking the programs."""
    told = truth(tmp_path)
    assert told.allowed == {"acme": {id_of(ONE)}}
    assert told.withheld == {("newshop", "terms_not_accepted"): {id_of(TWO)}}
    assert told.due == {"acme-orders": {id_of(ONE)}}
    assert (told.packages, told.finished) == (2, True)


def test_sound_run_passes_every_check(tmp_path: Path) -> None:
    """And its summary says that everything balances."""
    sound = outcome(truth(tmp_path))
    checks = checks_of(sound)
    assert wrong_of(checks) == []
    told = "\n".join(summary_lines(sound, checks))
    assert "2 callbacks of 2 packages = 2 accepted" in told
    assert "withheld from newshop: 1 (terms_not_accepted)" in told
    assert "Everything balances." in told


def _lose_an_event(run: Outcome) -> None:
    run.books.events.known.discard(id_of(TWO))


def _let_newshop_see(run: Outcome) -> None:
    run.books.decisions.party("newshop").decide(id_of(TWO), allowed=True)


def _lose_a_delivery(run: Outcome) -> None:
    run.received["acme-orders"].clear()


def _forge_a_signature(run: Outcome) -> None:
    run.reading.merchants["acme-orders"]["refused"]["signature"] = 1


def _leave_something_under_way(run: Outcome) -> None:
    run.books.updates.pending = 4


def _move_a_piece_back(run: Outcome) -> None:
    assert isinstance(run.states, dict)
    run.states["number-2"] = "pre_shipment"


def _end_early(run: Outcome) -> None:
    run.truth.finished = False


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_lose_an_event, f"published once: scan-events: 1 missing: {TWO}"),
        (_let_newshop_see, f"may see: newshop: 1 too much: {TWO}"),
        (_lose_a_delivery, f"due to them: acme-orders: 1 missing: {ONE}"),
        (_forge_a_signature, "acme-orders: 1 refused: signature"),
        (_leave_something_under_way, "packages: 4 in flight"),
        (_move_a_piece_back, "number-2 is pre_shipment and not delivered"),
        (_end_early, "ended before it had told everything"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, spoil: Callable[[Outcome], None], told: str) -> None:
    """What does not balance is said, with ids."""
    run = outcome(truth(tmp_path))
    spoil(run)
    wrong = wrong_of(checks_of(run))
    assert any(told in sentence for sentence in wrong), wrong


def test_unexpected_answers_are_named(tmp_path: Path) -> None:
    """A forged callback that was accepted fails the run."""
    forged = callback(
        ONE,
        "s-1",
        fault="bad_signature",
        becomes="refused",
        expected={"status": 401, "slug": "signature_mismatch"},
        as_expected=False,
        update_id=None,
        event_ids=[],
    )
    run = outcome(truth(tmp_path, forged))
    wrong = wrong_of(checks_of(run))
    assert any("1 callbacks were answered otherwise" in sentence for sentence in wrong)
    assert any("signature_mismatch: 1 expected" in sentence for sentence in wrong)
