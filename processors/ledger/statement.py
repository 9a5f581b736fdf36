"""What the ledger says: one JSON document, or lines for people."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from processors.ledger.books import Books
from processors.ledger.equations import Equation
from processors.ledger.fold import Range
from schemas.clock import rfc3339

# Enough to look into; a count says how many there are.
IDS_SHOWN: Final = 20


def document(
    equations: Sequence[Equation], books: Books, period: Range, prefix: str, at: datetime
) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "balanced": all(equation.holds for equation in equations),
        "at": rfc3339(at),
        "topic_prefix": prefix,
        "since": period.since,
        "until": period.until,
        "in_flight": in_flight(books),
        "equations": [_equation(equation) for equation in equations],
    }


def in_flight(books: Books) -> dict[str, int]:
    """What is under way at each stage, in records or events."""
    waiting = {
        book.destination: sum(how == "in_flight" for how in book.standing.values())
        for book in books.destinations.values()
    }
    return {"packages": books.updates.pending, "router": books.events.pending} | waiting


def _equation(equation: Equation) -> dict[str, Any]:
    return {
        "name": equation.name,
        "statement": equation.statement,
        "holds": equation.holds,
        "left": equation.left,
        "right": dict(equation.right),
        "wrong": {
            kind: {"count": len(ids), "ids": sorted(one.hex() for one in ids)[:IDS_SHOWN]}
            for kind, ids in equation.wrong.items()
        },
    }


def lines(statement: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    for equation in statement["equations"]:
        parts = " + ".join(f"{count} {name}" for name, count in equation["right"].items())
        mark = "holds" if equation["holds"] else "DOES NOT HOLD"
        yield f"{equation['name']}: {equation['left']} = {parts}  ({mark})"
        for kind, wrong in equation["wrong"].items():
            named = ", ".join(wrong["ids"])
            more = " …" if wrong["count"] > len(wrong["ids"]) else ""
            yield f"    {kind.replace('_', ' ')}: {wrong['count']}: {named}{more}"
    if statement["since"] is not None or statement["until"] is not None:
        yield f"received from {statement['since'] or 'the beginning'} to {_until(statement)}"
    waiting = ", ".join(f"{name} {count}" for name, count in statement["in_flight"].items())
    yield f"in flight: {waiting}"
    yield "The ledger balances." if statement["balanced"] else "The ledger does not balance."


def _until(statement: dict[str, Any]) -> str:
    return str(statement["until"] or statement["at"])
