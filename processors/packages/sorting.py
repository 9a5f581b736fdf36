"""Sorts the events of an update into known ones, new ones, and those too old to be told apart."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from processors.packages.order import Known, order_key, order_of, surer_order
from schemas.event import FeedEvent, stated_minute

Event = dict[str, Any]


@dataclass(slots=True)
class Sorted:
    """The events of one update.

    Attributes:
        known: What is known of the number's events, with the surest times of order.
        bettered: Whether any time of order became surer by the update.
        again: The known ones that the update states again, by id.
        fresh: The new ones, oldest first, still without sequence and piece.
        stated: Each event once as the update states it, by id.
    """

    known: dict[str, Known]
    bettered: bool = False
    again: list[str] = field(default_factory=list)
    fresh: list[Known] = field(default_factory=list)
    stated: dict[str, Event] = field(default_factory=dict)
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def sort_out(before: Mapping[str, Any], update: Mapping[str, Any], received_at: str) -> Sorted:
    """`received_at`: of the update, as a stamp. Raises `ValueError` for an event that is none."""
    found = Sorted({one["event_id"]: one for one in before["events"]})
    number, through = before["tracking_number"], before["trimmed_through"] or ""
    for event in update["events"]:
        event_id = event["event_id"]
        if event_id in found.stated:
            found.counts["repeat"] += 1
        elif event_id in found.known:
            _meet_again(found, event, received_at)
        else:
            if event["tracking_number"] != number:
                raise ValueError("an event of another number")
            _meet(found, event, received_at, through)
    found.fresh.sort(key=order_key)
    return found


def _meet_again(found: Sorted, event: Event, received_at: str) -> None:
    event_id = event["event_id"]
    known = found.known[event_id]
    found.stated[event_id] = event
    found.again.append(event_id)
    if known["fingerprint"] != fingerprint(event):
        found.counts["restated"] += 1
    surer = surer_order(known, event, received_at)
    if surer is not known:
        found.known[event_id] = surer
        found.bettered = True


def _meet(found: Sorted, event: Event, received_at: str, through: str) -> None:
    FeedEvent.model_validate(event)
    ordered_at, basis = order_of(event, received_at)
    if ordered_at <= through:
        found.counts["too_old"] += 1
        return
    found.stated[event["event_id"]] = event
    found.fresh.append(
        {
            "event_id": event["event_id"],
            "sequence": 0,
            "piece": 0,
            "category": event["category"],
            "event_code": event["event_code"],
            "ordered_at": ordered_at,
            "order_basis": basis,
            "stated_minute": stated_minute(event),
            "zip": event["zip"],
            "city": event["city"],
            "first_in_category": False,
            "variant_of": None,
            "late": False,
            "fingerprint": fingerprint(event),
            "evidence": [],
        }
    )


def fingerprint(event: Mapping[str, Any]) -> int:
    """Of what may differ under one id: text, seconds and reason code."""
    local, instant = event["event_local_time"] or "", event["event_time"] or ""
    reason = event["attributes"].get("reason_code")
    text = f"{event['event_text']}\x1f{local[16:]}\x1f{instant[16:]}\x1f{reason}"
    return crc32(text.encode("utf-8", "surrogatepass"))
