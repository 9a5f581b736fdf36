"""Folds one tracking update into the state of its number: what is new, and what it comes to.

Pure: (state before, update) -> (state after, events to publish, counts). The state before is
never changed, so a batch that is aborted leaves nothing behind.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from processors.packages.evidence import PieceEvidence, only_mid
from processors.packages.expectation import Expectation, newer_expectation
from processors.packages.line import Line
from processors.packages.news import Newcomers, Publication, better_known, published_again
from processors.packages.records import Judged, scan_event
from processors.packages.sorting import Event, Sorted, sort_out
from processors.packages.stamps import checked_stamp, stamp
from processors.packages.trim import State, capped, is_silent, trimmed

# The state has lists of its own.
_NO_LISTS: Final = {"evidence": None, "piece_evidence": None}


class Folded(NamedTuple):
    """What an update came to.

    Attributes:
        state: As it is now; None if the update changed nothing.
        events: `ScanEvent`s to publish, in order.
        counts: Of new, new_evidence, repeat, variant, late, restated, too_old.
    """

    state: State | None
    events: Sequence[Event]
    counts: Mapping[str, int]


def fold(state: State | None, update: Mapping[str, Any]) -> Folded:
    """The state of the update's number with it, and what is to be published.

    Raises `KeyError`, `TypeError`, `ValueError` or `AttributeError` for what is no update.
    """
    received_at = checked_stamp(update["received_at"])
    if state is not None and is_silent(state, received_at):
        state = trimmed(state)
    before = state or _blank(update)
    events = sort_out(before, update, received_at)
    evidence = PieceEvidence(before["events"], before["past"])
    news = better_known(events, evidence)
    expectation = newer_expectation(before, update)
    # An expectation alone begins no state: there is no event yet to hang it on.
    expected = expectation is not None and state is not None
    if not (news or events.fresh or events.bettered or expected):
        return Folded(None, (), events.counts)
    line = Line(before, events.known.values(), moved=events.bettered)
    publications = published_again(news, line)
    newcomers = Newcomers(before, events, line, evidence)
    publications += [newcomers.take(fresh) for fresh in events.fresh]
    evidence = PieceEvidence(line.known, before["past"])
    after = _after(before, line, update, evidence) | _expected(before, line, expectation)
    after["sequence"] = after["events_seen"] = newcomers.sequence
    published = _published(publications, events, after, evidence)
    after["last_event"] = _last_event(before, line, published, events)
    return Folded(capped(after), published, events.counts)


def _blank(update: Mapping[str, Any]) -> State:
    """The state of a number that nothing is known of."""
    return {
        "tracking_number": update["tracking_number"],
        "mail_kind": None,
        "category": None,
        "last_event": None,
        "expected_delivery": None,
        "expected_delivery_reported_at": None,
        "first_event_at": None,
        "events_seen": 0,
        "event_ids": [],
        "mid": None,
        "updated_at": update["received_at"],
        "sequence": 0,
        "piece": 1,
        "last_event_at": None,
        "trimmed_through": None,
        "past": None,
        "events": [],
    }


def _after(before: State, line: Line, update: Mapping[str, Any], evidence: PieceEvidence) -> State:
    """The state with all that is in the line now, but for what is filled in by others."""
    known = line.known
    first, last = (known[0]["ordered_at"], known[-1]["ordered_at"]) if known else ("", "")
    piece = max(before["piece"], line.tail.piece)
    through: str | None = before["trimmed_through"]
    return {
        **before,
        "mail_kind": before["mail_kind"] or update["events"][0]["mail_kind"],
        "category": line.tail.category,
        "first_event_at": before["first_event_at"] if through else first,
        "event_ids": [one["event_id"] for one in known],
        "mid": only_mid(evidence.of(piece)),
        "updated_at": max(before["updated_at"], update["received_at"], key=stamp),
        "piece": piece,
        "last_event_at": max(last, through or ""),
        "events": known,
    }


def _expected(before: State, line: Line, expectation: Expectation | None) -> dict[str, str | None]:
    """Another piece under the number has nothing of the former's expectation."""
    if expectation is None and line.tail.piece <= before["piece"]:
        return {}
    date, reported_at = expectation or (None, None)
    return {"expected_delivery": date, "expected_delivery_reported_at": reported_at}


def _published(
    publications: Sequence[Publication], events: Sorted, after: State, evidence: PieceEvidence
) -> list[Event]:
    """The records of what is published, in order."""
    records: list[Event] = []
    for one in publications:
        piece = one.known["piece"]
        expected = after["expected_delivery"] if piece == after["piece"] else None
        judged = Judged(
            one.evidence, one.new_evidence, one.standing.category, expected, evidence.of(piece)
        )
        records.append(scan_event(events.stated[one.known["event_id"]], one.known, judged))
    return records


def _last_event(
    before: State, line: Line, published: Sequence[Event], events: Sorted
) -> Event | None:
    """The event that decided the category, in full; None if it is not at hand any more.

    It may be one that is neither new nor the former one: a late scan before it can make it
    decide. As a rule USPS states the whole history each time, so it is at hand.
    """
    decider = line.tail.decided_by
    former: Event | None = before["last_event"]
    if former is not None and former["event_id"] == decider:
        return former
    for event in published:
        if event["event_id"] == decider:
            return event | _NO_LISTS
    stated = events.stated.get(decider or "")
    if stated is None:
        return None
    known = events.known[stated["event_id"]]
    judged = Judged(known["evidence"][0], False, line.tail.category, None, ())
    return scan_event(stated, known, judged) | _NO_LISTS
