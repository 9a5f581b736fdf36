"""The time by which an event is put in order inside its piece. Never published.

An instant if USPS stated one; else the local time in the zone of the ZIP (a day alone at its
start); else the time of receipt. Then the rank of the category, then the id: so the order of
a set of events depends neither on how they arrived nor on how often.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from processors.packages.stamps import later, moment, stamp, stamp_of
from schemas.event import EventCategory
from schemas.package import OrderBasis
from schemas.usps.zones import local_instant

RANKS: Final[Mapping[str, int]] = {
    category.value: rank
    for rank, category in enumerate(
        (
            EventCategory.UNKNOWN,
            EventCategory.INFORMATIONAL,
            EventCategory.PRE_SHIPMENT,
            EventCategory.ACCEPTED,
            EventCategory.IN_TRANSIT,
            EventCategory.FORWARDED,
            EventCategory.ARRIVED,
            EventCategory.DELAYED,
            EventCategory.OUT_FOR_DELIVERY,
            EventCategory.EXCEPTION,
            EventCategory.ATTEMPTED,
            EventCategory.AVAILABLE_FOR_PICKUP,
            EventCategory.RETURN,
            EventCategory.DELIVERED_TO_AGENT,
            EventCategory.DELIVERED,
        )
    )
}
INSTANT: Final = OrderBasis.INSTANT.value
LOCAL: Final = OrderBasis.LOCAL.value
RECEIPT: Final = OrderBasis.RECEIPT.value
_SURENESS: Final = {INSTANT: 0, LOCAL: 1, RECEIPT: 2}
# A device whose clock is years ahead must not be the newest event for years.
FUTURE: Final = timedelta(hours=36)

Known = dict[str, Any]
OrderKey = tuple[str, int, str]


def order_key(known: Mapping[str, Any]) -> OrderKey:
    """By what the events of a number are sorted."""
    return (known["ordered_at"], RANKS[known["category"]], known["event_id"])


def order_of(event: Mapping[str, Any], received_at: str) -> tuple[str, str]:
    """(time of order, what it rests on) of an event as a feed stated it.

    `received_at` is a stamp. What lies more than 36 hours ahead of it counts as not stated.
    Raises `ValueError` for a time that is in no calendar.
    """
    found, basis = _stated(event)
    if found is None or (found > received_at and found > later(received_at, FUTURE)):
        return received_at, RECEIPT
    return found, basis


def _stated(event: Mapping[str, Any]) -> tuple[str | None, str]:
    instant: str | None = event["event_time"]
    if instant is not None:
        moment(instant)
        return stamp(instant), INSTANT
    local: str | None = event["event_local_time"]
    if local is None:
        return None, RECEIPT
    zip_code: str | None = event["zip"]
    return stamp_of(local_instant(datetime.fromisoformat(local), zip_code and zip_code[:5])), LOCAL


def surer_order(known: Known, event: Mapping[str, Any], received_at: str) -> Known:
    """The known event with the better of its own time of order and that of a repeat.

    The surer basis wins, of equal ones the earlier time: an outcome that depends neither on
    the order of arrival nor on repetition.
    """
    if _states_the_same(known, event):
        return known
    ordered_at, basis = order_of(event, received_at)
    ours = (_SURENESS[known["order_basis"]], known["ordered_at"])
    if (_SURENESS[basis], ordered_at) < ours:
        return {**known, "ordered_at": ordered_at, "order_basis": basis}
    return known


def _states_the_same(known: Known, event: Mapping[str, Any]) -> bool:
    """Whether a closer look can be spared; nearly every repeat is of this kind.

    Equal ids state the same minute and ZIP, so only seconds and the instant can differ.
    """
    basis: str = known["order_basis"]
    ours: str = known["ordered_at"]
    instant: str | None = event["event_time"]
    if basis == INSTANT:
        return instant is None or instant[:19] == ours[:19]
    if basis == LOCAL and instant is None:
        local: str = event["event_local_time"] or ""
        return (local[17:19] or "00") == ours[17:19]
    return False
