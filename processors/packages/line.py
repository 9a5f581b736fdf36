"""The known events of a number in a line: where pieces begin, and what category each has.

A pure fold over the events in order. A physical event sets its piece's category; one that
only computers made (MA, GX, NT, DX, unknown codes) may raise its rank, never lower it.
"""

from bisect import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from processors.packages.order import RANKS, Known, OrderKey, order_key
from processors.packages.stamps import moment
from schemas.usps.codes import facts_of

# Mailers keep a number unique for months (Pub 97 and 199 of USPS ask for that), so a label or
# an acceptance after so long a silence is of another piece.
NEW_PIECE_AFTER: Final = timedelta(days=120)
NOTHING_YET: Final = -1


class Standing(NamedTuple):
    """What an event's piece has come to: its number and, after all its events, its category."""

    piece: int
    category: str | None


@dataclass(slots=True)
class Tail:
    """The last piece as far as the line was walked.

    Attributes:
        decided_by: The id of the event that set the category; None if it was dropped.
        last_at: The time of order of the last event.
    """

    piece: int = 1
    category: str | None = None
    rank: int = NOTHING_YET
    decided_by: str | None = None
    last_at: str | None = None

    def step(self, known: Known) -> bool:
        """Takes the next event; True if it begins another piece."""
        facts = facts_of(known["event_code"])
        at: str = known["ordered_at"]
        begins = facts.opens_piece and self._slept_until(at)
        if begins:
            self.piece, self.category, self.rank, self.decided_by = self.piece + 1, None, -1, None
        # A published number is kept, and later ones do not fall behind it.
        self.piece = max(self.piece, known["piece"])
        self.last_at = at
        rank = RANKS[known["category"]]
        if facts.physical or rank > self.rank:
            self.category, self.rank, self.decided_by = known["category"], rank, known["event_id"]
        return begins

    def _slept_until(self, at: str) -> bool:
        if self.last_at is None or at[:7] == self.last_at[:7]:
            return False
        return moment(at) - moment(self.last_at) > NEW_PIECE_AFTER


def tail_of_past(state: Mapping[str, Any]) -> Tail:
    """Where the line of a number begins: after the events that were dropped, if any."""
    past = state["past"]
    if past is None:
        return Tail()
    category = past["category"]
    rank = NOTHING_YET if category is None else RANKS[category]
    return Tail(past["piece"], category, rank, past["decided_by"], state["trimmed_through"])


class Line:
    """Events of one number in order, growing.

    Events at or before `trimmed_through` are only remembered: the past stands for them.
    """

    def __init__(self, state: Mapping[str, Any], known: Iterable[Known]) -> None:
        self.by_id: dict[str, Known] = {one["event_id"]: one for one in known}
        self.keys: list[OrderKey] = sorted(order_key(one) for one in self.by_id.values())
        self._through: str = state["trimmed_through"] or ""
        self._past = tail_of_past(state)
        self.tail = replace(self._past)
        for key in self.keys:
            if key[0] > self._through:
                self.tail.step(self.by_id[key[2]])

    def insert(self, known: Known) -> Standing:
        """Takes a new event (its `piece` 0) to its place and says how its piece stands then."""
        key = order_key(known)
        self.by_id[known["event_id"]] = known
        if not self.keys or key > self.keys[-1]:
            self.keys.append(key)
            self.tail.step(known)
            return Standing(self.tail.piece, self.tail.category)
        self.keys.insert(bisect(self.keys, key), key)
        self.tail = replace(self._past)
        return self._walk(self.tail)[known["event_id"]]

    def standings(self) -> dict[str, Standing]:
        """How the piece of each event stands now, by event id."""
        return self._walk(replace(self._past))

    def _walk(self, tail: Tail) -> dict[str, Standing]:
        """Steps through all events; the category of each is that at its piece's end."""
        standings: dict[str, Standing] = {}
        of_piece: list[tuple[str, int]] = []
        for key in self.keys:
            if key[0] <= self._through:
                continue
            before = tail.category
            if tail.step(self.by_id[key[2]]):
                standings |= {one: Standing(piece, before) for one, piece in of_piece}
                of_piece = []
            of_piece.append((key[2], tail.piece))
        return standings | {one: Standing(piece, tail.category) for one, piece in of_piece}
