"""What must have happened, computed from the simulator's record and the registry alone.

Independent of what the programs decided: the record says which events were told by which
subscription, `authorize` says who may see them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from processors.ledger.books import Id, id_of
from schemas.access import Allowed, Subject, authorize, candidates
from schemas.event import Channel, EventCategory
from schemas.registry.destinations import DestinationBase
from schemas.registry.index import Registry
from schemas.usps.codes import facts_of


@dataclass(slots=True)
class Truth:
    """The record, and who should have got what.

    Attributes:
        sent: Requests by what they are answered, as it must be.
        answers: Requests by what they were answered.
        becomes: Requests by what must have become of them.
        events: The MID under which each event was told.
        allowed: By merchant, the events that it may see.
        withheld: By merchant and reason, the events that it may not see yet.
        due: By destination, the events that must have been accepted there.
        ends: By tracking number, the category in which its last piece must end.
        finished: Whether the simulator told everything it had.
    """

    sent: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    becomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    oddities: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    retried: int = 0
    packages: int = 0
    answered: set[Id] = field(default_factory=set)
    events: dict[Id, str] = field(default_factory=dict)
    allowed: dict[str, set[Id]] = field(default_factory=dict)
    withheld: dict[tuple[str, str], set[Id]] = field(default_factory=dict)
    due: dict[str, set[Id]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    finished: bool = False


def read_truth(record: Path, registry: Registry, at: datetime) -> Truth:
    """Reads the record and judges every event of it. `at`: when the run was."""
    truth = Truth()
    numbers: dict[Id, str] = {}
    codes: dict[Id, str] = {}
    mids = _mids(registry)
    for line in _lines(record):
        match line["kind"]:
            case "journey":
                truth.packages += 1
                truth.oddities.update(line["oddities"])
                codes.update(_codes(line))
                truth.ends[line["tracking_number"]] = _end_of(line["pieces"][-1]["scans"])
            case "callback":
                _take_callback(truth, numbers, line, mids)
            case "summary":
                truth.finished = True
    _judge(truth, registry, numbers, at)
    _route(truth, registry, codes)
    return truth


def _lines(record: Path) -> Iterator[dict[str, Any]]:
    with record.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _mids(registry: Registry) -> dict[str, str]:
    """The MID by subscription id."""
    return {
        one.record()["id"]: one.record()["mid"]
        for one in registry.all("subscription")
        if {"id", "mid"} <= one.record().keys()
    }


def _codes(journey: dict[str, Any]) -> Iterator[tuple[Id, str]]:
    for piece in journey["pieces"]:
        for scan in piece["scans"]:
            yield id_of(scan["event_id"]), scan["event_code"]


def _end_of(scans: list[dict[str, Any]]) -> str:
    """The category of the last scan at which somebody handled the piece, by its time."""
    handled = [scan for scan in scans if facts_of(scan["event_code"]).physical]
    last = max(handled, key=lambda scan: str(scan["at"]))
    return facts_of(last["event_code"]).category.value


def _take_callback(
    truth: Truth, numbers: dict[Id, str], line: dict[str, Any], mids: dict[str, str]
) -> None:
    truth.sent[line["expected"]["slug"]] += 1
    truth.answers[line["slug"]] += 1
    truth.becomes[line["becomes"]] += 1
    truth.unexpected += not line["as_expected"]
    truth.retried += line["attempts"] - 1
    if line["fault"] is not None:
        truth.faults[line["fault"]] += 1
    if line["update_id"] is not None:
        truth.answered.add(id_of(line["update_id"]))
    for event in map(id_of, line["event_ids"]):
        truth.events[event] = mids[line["subscription_id"]]
        numbers[event] = line["tracking_number"]


def _judge(truth: Truth, registry: Registry, numbers: dict[Id, str], at: datetime) -> None:
    for event, mid in truth.events.items():
        subject = Subject(
            tracking_number=numbers[event],
            mid=mid,
            mid_ambiguous=False,
            channel=Channel.WEBHOOK,
            received_at=at,
        )
        for merchant in candidates(registry, subject):
            access = authorize(registry, subject, merchant, at)
            if isinstance(access, Allowed):
                truth.allowed.setdefault(merchant, set()).add(event)
            else:
                truth.withheld.setdefault((merchant, access.reason.value), set()).add(event)


def _route(truth: Truth, registry: Registry, codes: dict[Id, str]) -> None:
    """What each destination wants of what its merchant may see."""
    for one in registry.all("destination"):
        if isinstance(one, DestinationBase):
            wanted = frozenset(one.categories or EventCategory)
            truth.due[one.id] = {
                event
                for event in truth.allowed.get(one.merchant, set())
                if facts_of(codes[event]).category in wanted
            }
