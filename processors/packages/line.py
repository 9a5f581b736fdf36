"""The known events of a number in a line: where pieces begin, and what category each has.

A pure fold over the events in order. A physical event sets its piece's category; one that
only computers made (MA, GX, NT, DX, unknown codes) may raise its rank, never lower it.
"""

from bisect import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from processors.packages.order import RANKS, Known, order_key
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


def tail_of(state: Mapping[str, Any]) -> Tail | None:
    """The end of the line as the state itself has it; None if it must be walked."""
    last_event = state["last_event"]
    if last_event is None:
        return None
    category = state["category"]
    decided_by = last_event["event_id"]
    return Tail(state["piece"], category, RANKS[category], decided_by, state["last_event_at"])


class Line:
    """Events of one number in order, growing.

    Events at or before `trimmed_through` are only remembered: the past stands for them.
    """

    def __init__(self, state: Mapping[str, Any], known: Iterable[Known], *, moved: bool) -> None:
        """`moved`: the time of order of some is another than in the state."""
        self.known = sorted(known, key=order_key) if moved else list(known)
        self._state = state
        tail = None if moved else tail_of(state)
        self.tail = self._walked()[0] if tail is None else tail

    def insert(self, known: Known) -> Standing:
        """Takes a new event (its `piece` 0) to its place and says how its piece stands then."""
        if not self.known or order_key(known) > order_key(self.known[-1]):
            self.known.append(known)
            self.tail.step(known)
            return Standing(self.tail.piece, self.tail.category)
        self.known.insert(bisect(self.known, order_key(known), key=order_key), known)
        self.tail, standings = self._walked()
        return standings[known["event_id"]]

    def standings(self) -> dict[str, Standing]:
        """How the piece of each event stands now, by event id."""
        return self._walked()[1]

    def _walked(self) -> tuple[Tail, dict[str, Standing]]:
        """Steps through all events; the category of each is that at its piece's end."""
        tail = tail_of_past(self._state)
        through: str = self._state["trimmed_through"] or ""
        standings: dict[str, Standing] = {}
        of_piece: list[tuple[str, int]] = []
        for known in self.known:
            if known["ordered_at"] <= through:
                continue
            before = tail.category
            if tail.step(known):
                standings |= {one: Standing(piece, before) for one, piece in of_piece}
                of_piece = []
            of_piece.append((known["event_id"], tail.piece))
        return tail, standings | {one: Standing(piece, tail.category) for one, piece in of_piece}
