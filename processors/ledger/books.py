"""What the topics say, as sets of ids: 16 bytes each, so that millions fit."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

Id = bytes
Party = str | None  # None: nobody is a candidate
Position = tuple[str, int, int]  # topic, partition, offset


class Settled(StrEnum):
    """How an event stands at a destination."""

    ACCEPTED = "accepted"
    FILTERED = "filtered"
    DEAD_LETTERED = "dead_lettered"
    REVOKED = "revoked"
    LOST = "lost"
    IN_FLIGHT = "in_flight"


@dataclass(slots=True)
class UpdateBook:
    """Updates that packages has read, and their events.

    Attributes:
        excused: Events of updates that packages dead-lettered.
        unknown: Events that neither scan-events nor a state knows and that are not too old.
        pending: Updates that packages has not read yet.
        quarantined_ids: Of callbacks that were answered 200 and set aside.
    """

    update_ids: set[Id] = field(default_factory=set)
    quarantined_ids: set[Id] = field(default_factory=set)
    events: set[Id] = field(default_factory=set)
    excused: set[Id] = field(default_factory=set)
    too_old: set[Id] = field(default_factory=set)
    unknown: set[Id] = field(default_factory=set)
    processed: int = 0
    pending: int = 0


@dataclass(slots=True)
class EventBook:
    """Scan events as published, and what packages' states know beside them.

    Attributes:
        remembered: Ids that only a state still knows.
        repeated: Ids that were published twice without new evidence.
        judged: Events of the range that the router has read.
        additions: How often the router read such an event again with new evidence.
        excused: Events that the router dead-lettered.
        pending: Records that the router has not read yet.
        trimmed_through: By tracking number, where packages forgot the ids.
    """

    known: set[Id] = field(default_factory=set)
    remembered: set[Id] = field(default_factory=set)
    repeated: set[Id] = field(default_factory=set)
    judged: set[Id] = field(default_factory=set)
    additions: Counter[Id] = field(default_factory=Counter)
    excused: set[Id] = field(default_factory=set)
    pending: int = 0
    trimmed_through: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class PartyBook:
    """What was last decided for one party, and what is withheld from it now.

    Attributes:
        once_allowed: Allowed, and refused later.
    """

    allowed: set[Id] = field(default_factory=set)
    refused: set[Id] = field(default_factory=set)
    once_allowed: set[Id] = field(default_factory=set)
    withheld: set[Id] = field(default_factory=set)

    def decide(self, event: Id, *, allowed: bool) -> None:
        """The last decision counts."""
        if allowed:
            self.allowed.add(event)
            self.refused.discard(event)
            return
        if event in self.allowed:
            self.allowed.discard(event)
            self.once_allowed.add(event)
        self.refused.add(event)


@dataclass(slots=True)
class DecisionBook:
    """Every judgement of an event of the range."""

    first: set[Id] = field(default_factory=set)
    first_twice: set[Id] = field(default_factory=set)
    additions: Counter[Id] = field(default_factory=Counter)
    judgements: int = 0
    parties: dict[Party, PartyBook] = field(default_factory=dict)

    def party(self, party: Party) -> PartyBook:
        """The book of one party."""
        book = self.parties.get(party)
        if book is None:
            book = self.parties[party] = PartyBook()
        return book


@dataclass(slots=True)
class DestinationBook:
    """One destination: how each event that is due to it stands.

    Attributes:
        outcomes: From the delivery records; the last one counts.
        standing: The events due: in the merchant's topic, from the destination's start.
        passed_over: It has gone past their records and left no word of them.
        lost_ranges: First and last offset of what was given up with `--accept-loss`.
        unreadable: Positions of records that are no events, dead-lettered as they are.
    """

    destination: str
    merchant: str
    outcomes: dict[Id, Settled] = field(default_factory=dict)
    standing: dict[Id, Settled] = field(default_factory=dict)
    passed_over: set[Id] = field(default_factory=set)
    lost_ranges: list[tuple[Position, int]] = field(default_factory=list)
    unreadable: set[Position] = field(default_factory=set)

    def lost(self, position: Position) -> bool:
        """Whether a record stood in a range that was given up."""
        topic, partition, offset = position
        return any(
            (topic, partition) == begin[:2] and begin[2] <= offset <= last
            for begin, last in self.lost_ranges
        )


@dataclass(slots=True)
class Books:
    """Everything that the equations need.

    Attributes:
        answered: Update ids of callbacks answered 200, where somebody kept them.
        updates_whole: No update has expired: every published event must stand in one.
    """

    updates: UpdateBook = field(default_factory=UpdateBook)
    events: EventBook = field(default_factory=EventBook)
    decisions: DecisionBook = field(default_factory=DecisionBook)
    sent: dict[str, set[Id]] = field(default_factory=dict)
    destinations: dict[str, DestinationBook] = field(default_factory=dict)
    answered: set[Id] | None = None
    updates_whole: bool = True


def id_of(text: str) -> Id:
    """An id of 32 hex digits in half the room. Raises `ValueError`."""
    return bytes.fromhex(text)
