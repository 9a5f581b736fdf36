"""Folds one tracking update into the state of its number: what is new, and what it comes to.

Pure: (state before, update) -> (state after, events to publish, counts). The state before is
never changed, so a batch that is aborted leaves nothing behind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from processors.packages.evidence import Evidence, NamedMids, evidence_of_piece, only_mid
from processors.packages.expectation import Expectation, newer_expectation
from processors.packages.line import Line
from processors.packages.news import Newcomers, Publication, better_known, published_again
from processors.packages.records import Judged, scan_event
from processors.packages.sorting import Event, Sorted, sort_out
from processors.packages.stamps import stamp
from processors.packages.trim import Due, State, capped, due, trimmed

# The state has lists of its own.
_NO_LISTS: Final = {"evidence": None, "piece_evidence": None}


@dataclass(slots=True)
class Folded:
    """What an update came to.

    Attributes:
        state: As it is now; None if the update changed nothing.
        events: `ScanEvent`s to publish, in order.
        counts: Of new, new_evidence, repeat, variant, late, restated, too_old.
    """

    state: State | None
    events: Sequence[Event] = ()
    counts: Counter[str] = field(default_factory=Counter)


def fold(state: State | None, update: Mapping[str, Any]) -> Folded:
    """The state of the update's number with it, and what is to be published.

    Raises `KeyError`, `TypeError`, `ValueError` or `AttributeError` for what is no update.
    """
    received_at = stamp(update["received_at"])
    if state is not None and due(state, received_at) is not Due.NOTHING:
        state = trimmed(state)
    before = state or _blank(update)
    events = sort_out(before, update, received_at)
    mids = NamedMids(before["events"], before["past"])
    news = better_known(events, mids)
    expectation = newer_expectation(before, update)
    # An expectation alone begins no state: there is no event yet to hang it on.
    expected = expectation is not None and state is not None
    if not (news or events.fresh or events.bettered or expected):
        return Folded(None, counts=events.counts)
    line = Line(before, events.known.values())
    publications = published_again(news, line)
    newcomers = Newcomers(before, events, line, mids)
    publications += [newcomers.take(fresh) for fresh in events.fresh]
    after = _after(before, line, update, expectation)
    after["sequence"] = after["events_seen"] = newcomers.sequence
    published = _published(publications, events, after)
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


def _after(
    before: State, line: Line, update: Mapping[str, Any], expectation: Expectation | None
) -> State:
    """The state with all that is in the line now, but for the last event."""
    known = [line.by_id[event_id] for _, _, event_id in line.keys]
    first, last = (known[0]["ordered_at"], known[-1]["ordered_at"]) if known else ("", "")
    piece = max(before["piece"], line.tail.piece)
    if piece == before["piece"]:
        date, reported_at = before["expected_delivery"], before["expected_delivery_reported_at"]
    else:
        # Another piece under the number has nothing of the former's expectation.
        date, reported_at = None, None
    through = before["trimmed_through"]
    return {
        "tracking_number": before["tracking_number"],
        "mail_kind": before["mail_kind"] or update["events"][0]["mail_kind"],
        "category": line.tail.category,
        "last_event": None,
        "expected_delivery": expectation.date if expectation else date,
        "expected_delivery_reported_at": expectation.reported_at if expectation else reported_at,
        "first_event_at": before["first_event_at"] if through else first,
        "events_seen": before["sequence"],
        "event_ids": [one["event_id"] for one in known],
        "mid": only_mid(evidence_of_piece(piece, known, before["past"])),
        "updated_at": max(before["updated_at"], update["received_at"], key=stamp),
        "sequence": before["sequence"],
        "piece": piece,
        "last_event_at": max(last, through or ""),
        "trimmed_through": through,
        "past": before["past"],
        "events": known,
    }


def _published(publications: Sequence[Publication], events: Sorted, after: State) -> list[Event]:
    """The records of what is published, in order."""
    of_piece: dict[int, list[Evidence]] = {}
    records: list[Event] = []
    for one in publications:
        piece = one.known["piece"]
        if piece not in of_piece:
            of_piece[piece] = evidence_of_piece(piece, after["events"], after["past"])
        judged = Judged(
            one.evidence,
            one.new_evidence,
            one.standing.category,
            after["expected_delivery"] if piece == after["piece"] else None,
            of_piece[piece],
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
    if decider in events.stated:
        known = line.by_id[decider]
        judged = Judged(known["evidence"][0], False, line.tail.category, None, [])
        return scan_event(events.stated[decider], known, judged) | _NO_LISTS
    return None
