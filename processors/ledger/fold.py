"""Takes the records of each topic into the books; a record of ours that is unreadable is a bug."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka.structs import ConsumerRecord

from processors.ledger.books import Books, DestinationBook, Position, Settled, id_of
from processors.packages.order import order_of
from processors.packages.stamps import stamp

PACKAGES = "packages"
ROUTER = "router"


@dataclass(frozen=True, slots=True)
class Range:
    """Receipt of events, RFC 3339 in UTC as records have it; `until` is exclusive."""

    since: str | None = None
    until: str | None = None

    def covers(self, received_at: str) -> bool:
        """Whether an event received then belongs to the range."""
        return (self.since is None or received_at >= self.since) and (
            self.until is None or received_at < self.until
        )


class Folder:
    """Fills the books; topics are to be taken in the order of the methods."""

    def __init__(self, books: Books, period: Range) -> None:
        self._books = books
        self._period = period
        self._set_aside: dict[str, set[Position]] = {PACKAGES: set(), ROUTER: set()}

    def dead_letter(self, record: ConsumerRecord) -> None:
        """What was given up, by whom, and where it stood."""
        letter = orjson.loads(record.value)
        position = (letter["topic"], letter["partition"], letter["offset"])
        destination = letter["destination"]
        if destination in self._set_aside:
            self._set_aside[destination].add(position)
        elif letter["event"] is None and destination in self._books.destinations:
            self._books.destinations[destination].unreadable.add(position)

    def scan_event(self, record: ConsumerRecord, *, read_by_router: bool) -> None:
        """An event, or the same one with new evidence."""
        book, event = self._books.events, orjson.loads(record.value)
        event_id, again = id_of(event["event_id"]), event["new_evidence"]
        if event_id in book.known and not again:
            book.repeated.add(event_id)
        book.known.add(event_id)
        if not read_by_router:
            book.pending += 1
            return
        if position_of(record) in self._set_aside[ROUTER]:
            book.excused.add(event_id)
        if not self._period.covers(event["received_at"]):
            return
        if again:
            book.additions[event_id] += 1
        else:
            book.judged.add(event_id)

    def package(self, record: ConsumerRecord) -> None:
        """A state: what it remembers beyond scan-events, and where it forgot."""
        if record.value is None:
            return
        state, book = orjson.loads(record.value), self._books.events
        book.remembered.update(set(map(id_of, state["event_ids"])) - book.known)
        if state["trimmed_through"] is not None:
            book.trimmed_through[state["tracking_number"]] = state["trimmed_through"]

    def update(self, record: ConsumerRecord, *, read_by_packages: bool) -> None:
        """An update and its events; only what packages has read can be asked for."""
        book, update = self._books.updates, orjson.loads(record.value)
        book.update_ids.add(id_of(update["update_id"]))
        if not read_by_packages:
            book.pending += 1
            return
        if not self._period.covers(update["received_at"]):
            return
        book.processed += 1
        if position_of(record) in self._set_aside[PACKAGES]:
            book.excused.update(id_of(event["event_id"]) for event in update["events"])
            return
        for event in update["events"]:
            self._stated(event)

    def _stated(self, event: Mapping[str, Any]) -> None:
        book, events = self._books.updates, self._books.events
        event_id = id_of(event["event_id"])
        if event_id in book.events:
            return
        book.events.add(event_id)
        if event_id in events.known or event_id in events.remembered:
            return
        forgotten = events.trimmed_through.get(event["tracking_number"], "")
        if order_of(event, stamp(event["received_at"]))[0] <= forgotten:
            book.too_old.add(event_id)
        else:
            book.unknown.add(event_id)

    def quarantined(self, record: ConsumerRecord) -> None:
        """A request that was set aside; only accepted ones were answered 200."""
        request = orjson.loads(record.value)
        if request["accepted"] and request["update_id"] is not None:
            self._books.updates.quarantined_ids.add(id_of(request["update_id"]))

    def decision(self, record: ConsumerRecord) -> None:
        """A judgement; a named party ends what was noted for nobody."""
        decision, book = orjson.loads(record.value), self._books.decisions
        if not self._period.covers(decision["received_at"]):
            return
        event_id = id_of(decision["event_id"])
        book.judgements += 1
        if decision["cause"] == "first":
            (book.first_twice if event_id in book.first else book.first).add(event_id)
        elif decision["cause"] == "new_evidence":
            book.additions[event_id] += 1
        for party in decision["parties"]:
            if party["merchant"] is not None:
                book.party(None).refused.discard(event_id)
            book.party(party["merchant"]).decide(event_id, allowed=party["allowed"])

    def withheld(self, record: ConsumerRecord) -> None:
        """An entry of what waits, or its end."""
        entry, book = orjson.loads(record.value), self._books.decisions
        party = book.party(entry["merchant"])
        if "released" in entry:
            party.withheld.discard(id_of(entry["released"]))
        elif self._period.covers(entry["event"]["received_at"]):
            party.withheld.add(id_of(entry["event"]["event_id"]))

    def delivery(self, record: ConsumerRecord) -> None:
        """A settled delivery, or a range that was given up."""
        delivery = orjson.loads(record.value)
        book = self._books.destinations.get(delivery["destination"])
        if book is None:
            return
        if delivery["event_id"] is None:
            begin = (delivery["topic"], delivery["partition"], delivery["offset"])
            book.lost_ranges.append((begin, delivery["lost_through"] or delivery["offset"]))
        else:
            book.outcomes[id_of(delivery["event_id"])] = Settled(delivery["outcome"])

    def merchant_record(
        self, record: ConsumerRecord, merchant: str, due: list[tuple[DestinationBook, bool]]
    ) -> None:
        """An event as sent to a merchant.

        `due`: the destinations to which it is due, and whether each has gone past it.
        """
        try:
            event = orjson.loads(record.value)
            event_id, received_at = id_of(event["event_id"]), event["received_at"]
        except (KeyError, TypeError, ValueError):
            return  # somebody else's record: a dead letter says so, no event is missing
        if not self._period.covers(received_at):
            return
        self._books.sent[merchant].add(event_id)
        for book, gone_past in due:
            outcome = book.outcomes.get(event_id)
            if outcome is None:
                outcome = _without_word(book, position_of(record), gone_past=gone_past)
            if outcome is None:
                book.passed_over.add(event_id)
            else:
                book.standing[event_id] = outcome


def _without_word(book: DestinationBook, position: Position, *, gone_past: bool) -> Settled | None:
    """How an event stands of which no delivery record speaks; None: it should be spoken of."""
    if book.lost(position):
        return Settled.LOST
    if position in book.unreadable:
        return Settled.DEAD_LETTERED
    return None if gone_past else Settled.IN_FLIGHT


def position_of(record: ConsumerRecord) -> Position:
    """Where a record stands."""
    return record.topic, record.partition, record.offset
