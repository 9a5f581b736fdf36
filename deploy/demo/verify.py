"""Compares what must have happened with what did, event by event."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from deploy.demo.metrics import Reading
from deploy.demo.settle import under_way
from deploy.demo.truth import Truth
from processors.ledger.books import Books, Id, Settled
from processors.ledger.equations import equations_of

_NAMED: Final = 5
_ACCEPTED: Final = "accepted"
_QUARANTINED: Final = "quarantined"
# Answered 200 and put into quarantine: the receiver counts them apart.
_SET_ASIDE: Final = ("payload_unreadable", "mid_contradiction", "record_too_large")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so. `wrong`: what is not, a sentence each; empty: it is."""

    name: str
    wrong: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a run left behind.

    Attributes:
        received: By destination, the ids that its merchant really has.
        states: By tracking number, the category that packages says.
        reading: The programs' own counts.
    """

    truth: Truth
    books: Books
    received: Mapping[str, set[Id]]
    states: Mapping[str, str]
    reading: Reading


def checks_of(outcome: Outcome) -> list[Check]:
    """Every check, in the order in which events flow."""
    return [
        Check("everything was told", list(_untold(outcome.truth))),
        Check("every callback was answered as it must be", list(_answers(outcome))),
        Check("the receiver counts the same answers", list(_counted(outcome))),
        Check("every stage is done", list(_unfinished(outcome.books))),
        Check("the ledger balances", list(_unbalanced(outcome.books))),
        Check("each event told is published once", list(_published(outcome))),
        Check("each piece ends where it must", list(_ends(outcome))),
        Check("merchants are allowed what they may see", list(_allowed(outcome))),
        Check("everything else is withheld", list(_withheld(outcome))),
        Check("merchants have what is due to them", list(_received(outcome))),
        Check("every delivery is verified and in order", list(_deliveries(outcome.reading))),
    ]


def difference(name: str, expected: set[Id], found: set[Id]) -> Iterator[str]:
    """Sentences about what is missing and what is too much."""
    for ids, what in ((expected - found, "missing"), (found - expected, "too much")):
        if ids:
            named = ", ".join(one.hex() for one in sorted(ids)[:_NAMED])
            yield f"{name}: {len(ids)} {what}: {named}{' …' if len(ids) > _NAMED else ''}"


def _untold(truth: Truth) -> Iterator[str]:
    if not truth.finished:
        yield "the simulator ended before it had told everything; see simulator.log"


def _answers(outcome: Outcome) -> Iterator[str]:
    truth = outcome.truth
    if truth.unexpected:
        yield f"{truth.unexpected} callbacks were answered otherwise; see record.jsonl"
    yield from _unequal(truth.sent, truth.answers, "answers")


def _counted(outcome: Outcome) -> Iterator[str]:
    """Only where nothing was tried twice: a repeated attempt is counted twice there."""
    truth, found = outcome.truth, dict(outcome.reading.answers)
    if truth.retried:
        return
    set_aside = sum(found.pop(slug, 0) for slug in _SET_ASIDE)
    if set_aside != truth.becomes[_QUARANTINED]:
        yield f"set aside: {truth.becomes[_QUARANTINED]} expected, the receiver's {set_aside}"
    expected = Counter(truth.answers)
    expected[_ACCEPTED] -= truth.becomes[_QUARANTINED]
    yield from _unequal(expected, found, "the receiver's")


def _unequal(expected: Mapping[str, int], found: Mapping[str, int], whose: str) -> Iterator[str]:
    for slug in sorted({*expected, *found}):
        if expected.get(slug, 0) != found.get(slug, 0):
            yield f"{slug}: {expected.get(slug, 0)} expected, {whose} {found.get(slug, 0)}"


def _unfinished(books: Books) -> Iterator[str]:
    return (f"{name}: {count} in flight" for name, count in under_way(books).items())


def _unbalanced(books: Books) -> Iterator[str]:
    for equation in equations_of(books):
        for kind, ids in equation.wrong.items():
            named = ", ".join(one.hex() for one in sorted(ids)[:_NAMED])
            yield f"{equation.name}: {len(ids)} {kind.replace('_', ' ')}: {named}"


def _published(outcome: Outcome) -> Iterator[str]:
    return difference("scan-events", set(outcome.truth.events), outcome.books.events.known)


def _ends(outcome: Outcome) -> Iterator[str]:
    """A late, contradictory or unknown scan moves no piece back."""
    wrong = [
        f"{number} is {outcome.states.get(number)} and not {category}"
        for number, category in outcome.truth.ends.items()
        if outcome.states.get(number) != category
    ]
    if wrong:
        yield f"{len(wrong)} pieces: {'; '.join(wrong[:_NAMED])}"


def _allowed(outcome: Outcome) -> Iterator[str]:
    parties = outcome.books.decisions.parties
    found = {name: book.allowed for name, book in parties.items() if name is not None}
    return _by_name(outcome.truth.allowed, found)


def _withheld(outcome: Outcome) -> Iterator[str]:
    expected: dict[str, set[Id]] = {}
    for (merchant, _), ids in outcome.truth.withheld.items():
        expected.setdefault(merchant, set()).update(ids)
    parties = outcome.books.decisions.parties
    found = {name or "nobody": book.withheld for name, book in parties.items()}
    return _by_name(expected, found)


def _received(outcome: Outcome) -> Iterator[str]:
    accepted = {
        name: {event for event, how in book.standing.items() if how is Settled.ACCEPTED}
        for name, book in outcome.books.destinations.items()
    }
    yield from _by_name(outcome.truth.due, accepted)
    yield from _by_name(
        {name: accepted.get(name, set()) for name in outcome.received}, outcome.received
    )


def _by_name(expected: Mapping[str, set[Id]], found: Mapping[str, set[Id]]) -> Iterator[str]:
    for name in sorted({*expected, *found}):
        yield from difference(name, expected.get(name, set()), found.get(name, set()))


def _deliveries(reading: Reading) -> Iterator[str]:
    for name, counts in reading.merchants.items():
        for what in ("out_of_order", "leaks"):
            if counts[what]:
                yield f"{name}: {counts[what]} {what.replace('_', ' ')}"
        for reason, count in counts["refused"].items():
            yield f"{name}: {count} refused: {reason}"


def wrong_of(checks: Iterable[Check]) -> list[str]:
    """Every sentence about what is not as it must be."""
    return [f"{check.name}: {sentence}" for check in checks for sentence in check.wrong]
