"""Twins: the same scan from a feed that states less has another id; it says whose twin it is."""

from collections.abc import Collection, Iterable
from typing import Final

from processors.packages.order import Known

_DAY: Final = 10
_MINUTE: Final = 16


def twin_of(
    event: Known, piece: int, known: Iterable[Known], history: Collection[str]
) -> str | None:
    """The id of the one known event that this new one may be a twin of; None if not exactly one.

    `piece`: of the new event; `known`: before it.
    `history`: the ids stated together with it; a feed does not tell one scan twice at a time.
    Twins of other events are no candidates, or a row of ever vaguer ones would hang together.
    """
    candidates = [
        one["event_id"]
        for one in known
        if one["event_code"] == event["event_code"]
        and one["piece"] == piece
        and one["variant_of"] is None
        and one["event_id"] not in history
        and _may_be_one_scan(one, event)
    ]
    return candidates[0] if len(candidates) == 1 else None


def _may_be_one_scan(one: Known, other: Known) -> bool:
    """Nothing stated by both differs, and one of them states less."""
    here, there = one["stated_minute"], other["stated_minute"]
    # Without a local day there is nothing to compare: a bare UTC minute is on either of two.
    if not {len(here), len(there)} <= {_DAY, _MINUTE} or here[:_DAY] != there[:_DAY]:
        return False
    if here != there and len(here) == len(there):
        return False
    return _same_place(one, other) and _stated(one) != _stated(other)


def _same_place(one: Known, other: Known) -> bool:
    if one["zip"] and other["zip"]:
        return bool(one["zip"] == other["zip"])
    here, there = _city(one), _city(other)
    return not here or not there or here == there


def _stated(known: Known) -> tuple[bool, bool, bool]:
    """Of minute, ZIP and city: which are stated."""
    return (len(known["stated_minute"]) == _MINUTE, bool(known["zip"]), bool(_city(known)))


def _city(known: Known) -> str:
    city: str | None = known["city"]
    return (city or "").strip().upper()
