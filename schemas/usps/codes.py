"""What USPS's event codes mean, by table (event_codes.csv, which names its source and date).

Codes are open-ended: one that is not in the table is `unknown` and flows all the same. No
category is ever guessed from the text of an event: code 10 was recorded with eight texts.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final

from schemas.event import EventCategory

# What the shipper's data says of a piece that USPS has not seen yet: the label, the manifest.
_LABEL_CODES: Final = frozenset({"GX", "MA"})
_BOOLEANS: Final = {"true": True, "false": False}


class Sureness(StrEnum):
    """How well a code's meaning is established."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class EventCodeFacts:
    """What is known of an event code.

    Attributes:
        name: A short name of ours; empty where the meaning is not established.
        physical: Somebody handled the piece. MA, GX, NT and DX are made by computers.
        terminal: The journey is over, as far as the code alone can tell.
        opens_piece: A label or an acceptance: after an ended or sleeping piece it begins
            a new piece under the same number.
    """

    name: str
    category: EventCategory
    physical: bool
    terminal: bool
    opens_piece: bool
    sureness: Sureness


UNKNOWN_CODE: Final = EventCodeFacts(
    "",
    EventCategory.UNKNOWN,
    physical=False,
    terminal=False,
    opens_piece=False,
    sureness=Sureness.LOW,
)


def facts_of(event_code: str) -> EventCodeFacts:
    """The facts of a code as USPS writes it (`01`, `OF`); `UNKNOWN_CODE` if not in the table."""
    return event_codes().get(event_code, UNKNOWN_CODE)


@cache
def event_codes() -> Mapping[str, EventCodeFacts]:
    """The whole table by code, read at first use."""
    text = files("schemas.usps").joinpath("event_codes.csv").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {row["code"]: _facts(row) for row in csv.DictReader(lines)}


def _facts(row: Mapping[str, str]) -> EventCodeFacts:
    category = EventCategory(row["category"])
    return EventCodeFacts(
        name=row["name"],
        category=category,
        physical=_BOOLEANS[row["physical"]],
        terminal=_BOOLEANS[row["terminal"]],
        opens_piece=category is EventCategory.ACCEPTED or row["code"] in _LABEL_CODES,
        sureness=Sureness(row["sureness"]),
    )
