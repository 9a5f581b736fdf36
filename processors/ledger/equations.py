"""The equations themselves: pure, over the books; each names what does not fit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from processors.ledger.books import Books, DestinationBook, Id, PartyBook, Settled


@dataclass(frozen=True, slots=True)
class Equation:
    """One equation: what stands on its left, the parts on its right, and what is wrong.

    Attributes:
        wrong: By kind, the ids that break it; empty sets are left out.
    """

    name: str
    statement: str
    left: int
    right: Mapping[str, int]
    wrong: Mapping[str, frozenset[Id]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong


def equations_of(books: Books) -> list[Equation]:
    """Every equation, in the order in which records flow."""
    found = []
    if books.answered is not None:
        found.append(_answered(books, books.answered))
    found += [_events(books), _judgements(books), _withheld(books)]
    found += [_sent(books, merchant) for merchant in sorted(books.sent)]
    found += [_delivered(book) for _, book in sorted(books.destinations.items())]
    return found


def _wrong(**kinds: Iterable[Id]) -> dict[str, frozenset[Id]]:
    return {kind: frozenset(ids) for kind, ids in kinds.items() if ids}


def _answered(books: Books, answered: set[Id]) -> Equation:
    published = books.updates.update_ids
    set_aside = books.updates.quarantined_ids
    return Equation(
        "callbacks",
        "callbacks answered 200 = in tracking-updates + in quarantine as accepted",
        len(answered),
        {
            "published": len(answered & published),
            "quarantined": len((answered & set_aside) - published),
        },
        _wrong(missing=answered - published - set_aside),
    )


def _events(books: Books) -> Equation:
    updates, events = books.updates, books.events
    only_excused = updates.excused - updates.events - events.known
    unknown = updates.unknown - updates.excused
    published = updates.events & events.known
    invented = events.known - updates.events - updates.excused if books.updates_whole else ()
    return Equation(
        "events",
        "event ids of updates = in scan-events or a state + too old + dead-lettered by packages",
        len(updates.events | only_excused),
        {
            "published": len(published),
            "remembered": len((updates.events - published) & events.remembered),
            "too_old": len(updates.too_old),
            "dead_lettered": len(only_excused | (updates.unknown & updates.excused)),
        },
        _wrong(missing=unknown, without_update=invented, published_twice=events.repeated),
    )


def _judgements(books: Books) -> Equation:
    events, decisions = books.events, books.decisions
    undecided = events.judged - decisions.first - events.excused
    again, decided_again = events.additions, decisions.additions
    return Equation(
        "judgements",
        "events read by the router = decided once + dead-lettered by the router",
        len(events.judged),
        {
            "decided": len(events.judged & decisions.first),
            "dead_lettered": len(events.judged & events.excused - decisions.first),
        },
        _wrong(
            undecided=undecided,
            decided_twice=decisions.first_twice,
            new_evidence_undecided=(again - decided_again).keys() - events.excused,
            new_evidence_decided_twice=(decided_again - again).keys() & events.judged,
        ),
    )


def _withheld(books: Books) -> Equation:
    revoked = _revoked_by_merchant(books)
    not_set_aside: set[Id] = set()
    not_released: set[Id] = set()
    count = 0
    for party, book in books.decisions.parties.items():
        count += len(book.refused)
        not_set_aside |= book.refused - book.withheld
        if party is not None:  # what nobody may have can stay: nobody is kept from it
            not_released |= book.withheld - book.refused - revoked.get(party, set())
    return Equation(
        "withheld",
        "events last refused to a party = open entries of withheld",
        count,
        {"withheld": count - len(not_set_aside)},
        _wrong(not_set_aside=not_set_aside, not_released=not_released),
    )


def _revoked_by_merchant(books: Books) -> dict[str, set[Id]]:
    """What a sink withheld after the router had allowed it."""
    revoked: dict[str, set[Id]] = {}
    for book in books.destinations.values():
        ids = {event for event, how in book.outcomes.items() if how is Settled.REVOKED}
        revoked.setdefault(book.merchant, set()).update(ids)
    return revoked


def _sent(books: Books, merchant: str) -> Equation:
    sent = books.sent[merchant]
    party = books.decisions.parties.get(merchant, PartyBook())
    not_sent, excused = party.allowed - sent, books.events.excused
    # What the router sent and has not yet decided about is under way, not wrong.
    leaked = (sent & books.events.judged) - party.allowed - party.once_allowed
    return Equation(
        f"merchant {merchant}",
        "events last allowed to the merchant = in its topic + dead-lettered by the router",
        len(party.allowed),
        {"sent": len(party.allowed & sent), "dead_lettered": len(not_sent & excused)},
        _wrong(not_sent=not_sent - excused, sent_without_right=leaked),
    )


def _delivered(book: DestinationBook) -> Equation:
    counts = Counter(book.standing.values())
    return Equation(
        f"destination {book.destination}",
        "events in the merchant's topic from the start = exactly one outcome each, or in flight",
        len(book.standing) + len(book.passed_over - book.standing.keys()),
        {outcome.value: counts[outcome] for outcome in Settled},
        _wrong(passed_over=book.passed_over - book.standing.keys()),
    )


def still_wrong(first: Iterable[Equation], second: Iterable[Equation]) -> Iterator[Equation]:
    """The second drawing-up, with only what was wrong in the first one too.

    Two topics are never read at the very same moment: what is really missing stays missing.
    """
    before = {equation.name: equation for equation in first}
    for equation in second:
        earlier = before.get(equation.name)
        wrong = {
            kind: ids & earlier.wrong.get(kind, frozenset())
            for kind, ids in equation.wrong.items()
            if earlier is not None
        }
        kept = {kind: ids for kind, ids in wrong.items() if ids}
        yield Equation(equation.name, equation.statement, equation.left, equation.right, kept)
