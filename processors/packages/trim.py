"""What a state lets go of with time: events after 120 days of silence, everything after 2 years.

Nothing published changes by it: the sequence goes on, and what is not later than
`trimmed_through` counts as known.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from processors.packages.evidence import evidence_of_piece
from processors.packages.line import tail_of_past
from processors.packages.order import RECEIPT, Known
from processors.packages.stamps import moment, stamp
from schemas.package import FORGET_AFTER_DAYS, MAX_EVENTS_PER_NUMBER, TRIM_AFTER_DAYS

State = dict[str, Any]
# Events that state no time cannot be told by a time, so their ids are kept; few have any.
MAX_TIMELESS: Final = 50
DAY_SECONDS: Final = 86_400


class Due(Enum):
    """What is due of a state."""

    NOTHING = 0
    TRIM = 1
    FORGET = 2


def due(state: Mapping[str, Any], now: str) -> Due:
    """What the time `now` (a stamp) asks for."""
    silent = moment(now) - moment(silent_since(state))
    if silent < timedelta(days=TRIM_AFTER_DAYS):
        return Due.NOTHING
    if silent >= timedelta(days=FORGET_AFTER_DAYS):
        return Due.FORGET
    return Due.NOTHING if is_trimmed(state) else Due.TRIM


def is_silent(state: Mapping[str, Any], now: str) -> bool:
    """Whether the events are to be let go of before something new comes."""
    # Nearly always the month tells; only else it is worth to reckon.
    return now[:7] > silent_since(state)[:7] and due(state, now) is not Due.NOTHING


def due_at(state: Mapping[str, Any]) -> int:
    """When something will be due at the latest, in seconds of the epoch: the end of that day."""
    days = FORGET_AFTER_DAYS if is_trimmed(state) else TRIM_AFTER_DAYS
    return _day_began(silent_since(state)[:10]) + (days + 1) * DAY_SECONDS


@lru_cache(maxsize=1024)
def _day_began(day: str) -> int:
    """In seconds of the epoch, UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def silent_since(state: Mapping[str, Any]) -> str:
    """The time of the last event, or when we learnt of it: an old history may come late."""
    at: str = state["updated_at"]
    return max(state["last_event_at"] or "", stamp(at))


def is_trimmed(state: Mapping[str, Any]) -> bool:
    """Whether all events were let go of."""
    through: str | None = state["trimmed_through"]
    return through is not None and through >= (state["last_event_at"] or "")


def trimmed(state: State) -> State:
    """The state without its events: sequence, piece, category and the last event's time stay."""
    timeless = [one for one in state["events"] if one["order_basis"] == RECEIPT]
    kept = _without(state, timeless[-MAX_TIMELESS:], state["last_event_at"])
    return {**kept, "last_event": None}


def capped(state: State, limit: int = MAX_EVENTS_PER_NUMBER) -> State:
    """The state with no more than `limit` events: the oldest of them are let go of."""
    events: list[Known] = state["events"]
    excess = len(events) - limit
    if excess <= 0:
        return state
    dated = [one for one in events if one["order_basis"] != RECEIPT][:excess]
    if len(dated) < excess:
        dated += [one for one in events if one["order_basis"] == RECEIPT][: excess - len(dated)]
    dropped = {one["event_id"] for one in dated}
    kept = [one for one in events if one["event_id"] not in dropped]
    return _without(state, kept, max(one["ordered_at"] for one in dated))


def _without(state: State, kept: list[Known], through: str) -> State:
    through = max(through, state["trimmed_through"] or "")
    return {
        **state,
        "trimmed_through": through,
        "past": _past(state, through),
        "events": kept,
        "event_ids": [one["event_id"] for one in kept],
    }


def _past(state: State, through: str) -> dict[str, Any]:
    """What the events up to `through` come to, those dropped before included."""
    tail = tail_of_past(state)
    before: str = state["trimmed_through"] or ""
    for one in state["events"]:
        if before < one["ordered_at"] <= through:
            tail.step(one)
    past = state["past"]
    categories = set(past["categories"]) if past and past["piece"] == tail.piece else set()
    gone = [one for one in state["events"] if one["ordered_at"] <= through]
    categories |= {one["category"] for one in gone if one["piece"] == tail.piece}
    return {
        "piece": tail.piece,
        "category": tail.category,
        "decided_by": tail.decided_by,
        "categories": sorted(categories),
        "evidence": evidence_of_piece(tail.piece, gone, past),
    }
