"""What a plan or an apply tells: lines for a person, or one JSON document. No secrets."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from receiver.subscribing.decide import Adopt, Create, Delete, Step, Update
from schemas.errors import ScanwireError

EXIT_REFUSED: Final = 1
EXIT_CHANGES: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One name. `problem`: why nothing, or not all, can be done for it; `cause`: its error."""

    name: str
    steps: Sequence[Step] = ()
    notes: Sequence[str] = ()
    problem: str = ""
    secret_to_make: str | None = None
    cause: ScanwireError | None = None


@dataclass
class Report:
    """All names. `unmanaged`: declared without an account, so that USPS is not asked."""

    entries: list[Entry] = field(default_factory=list)
    unmanaged: Sequence[str] = ()

    @property
    def changes(self) -> int:
        """Steps of all names."""
        return sum(len(one.steps) for one in self.entries)

    def plan_exit_code(self) -> int:
        """0 nothing to do, 2 changes, 1 something cannot be done."""
        return self.apply_exit_code() or (EXIT_CHANGES if self.changes else 0)

    def apply_exit_code(self) -> int:
        """0 all is as declared, 1 something is not."""
        return EXIT_REFUSED if any(one.problem for one in self.entries) else 0

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "changes": self.changes,
            "subscriptions": [_document(one) for one in self.entries],
            "unmanaged": list(self.unmanaged),
        }

    def lines(self) -> Iterator[str]:
        """For a person to read; problems are told apart."""
        for one in self.entries:
            yield from _lines(one)
        if self.unmanaged:
            yield f"Without account, so not managed at USPS: {', '.join(self.unmanaged)}"

    def problems(self) -> Iterator[str]:
        """A sentence each."""
        return (f"{one.name}: {one.problem}" for one in self.entries if one.problem)


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "steps": [_step_document(step) for step in entry.steps],
        "notes": list(entry.notes),
        "problem": entry.problem or None,
        "secret_to_make": entry.secret_to_make,
    }


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "step": type(step).__name__.lower(),
        "account": None if step.place is None else step.place.account,
        "subscription_id": None if step.place is None else step.place.subscription_id,
        "why": "" if isinstance(step, Update) else step.why,
        "differences": [
            {"field": one.field, "before": one.before, "after": one.after}
            for one in (step.differences if isinstance(step, Update) else ())
        ],
    }


def _lines(entry: Entry) -> Iterator[str]:
    if entry.secret_to_make:
        yield f"+ {entry.name}  secret at {entry.secret_to_make}"
    for step in entry.steps:
        yield f"{_sign(step)} {entry.name}  {_text(step)}"
        for one in step.differences if isinstance(step, Update) else ():
            yield f"    {one.field}: {one.before} -> {one.after}"
    for note in entry.notes:
        yield f"    {entry.name}: {note}"


def _sign(step: Step) -> str:
    match step:
        case Create(replaces=None):
            return "+"
        case Create() | Update():
            return "~"
        case Adopt():
            return "="
        case Delete():
            return "-"


def _text(step: Step) -> str:
    match step:
        case Create(replaces=None):
            return f"create ({step.why})"
        case Create():
            return f"create anew ({step.why})"
        case Adopt():
            return f"adopt {step.place.subscription_id} ({step.why})"
        case Update():
            return f"change {step.place.subscription_id}"
        case Delete():
            return f"delete {step.place.subscription_id} ({step.why})"


def summary(report: Report, verb: str) -> str:
    """One sentence. `verb`: `would be done` or `done`."""
    if not report.changes:
        return "Nothing changes at USPS."
    counts = {"create": 0, "adopt": 0, "update": 0, "delete": 0}
    for entry in report.entries:
        for step in entry.steps:
            counts[type(step).__name__.lower()] += 1
    return f"{_counted(counts.items())} {verb}."


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts if number)
