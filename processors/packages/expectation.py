"""When the piece is expected, by the newest of USPS's answers."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from processors.packages.stamps import checked_stamp

# The date USPS expects first, then the one it computed, then what the product guarantees.
_FIELDS: Final = ("expected_delivery_date", "predicted_delivery_date", "guaranteed_delivery_date")
# The guarantee may be a text such as a number of business days: not a date, not taken.
_DATE: Final = re.compile(r"^\d{4}-\d\d-\d\d(?=$|T)", re.ASCII)


class Expectation(NamedTuple):
    """A date and when USPS reported it, as a stamp."""

    date: str
    reported_at: str


def newer_expectation(state: Mapping[str, Any], update: Mapping[str, Any]) -> Expectation | None:
    """The update's expectation if it is newer than the state's; of equally new ones the later."""
    found = _stated(update)
    if found is None or state["expected_delivery_reported_at"] is None:
        return found
    ours = (state["expected_delivery_reported_at"], state["expected_delivery"])
    return found if (found.reported_at, found.date) > ours else None


def _stated(update: Mapping[str, Any]) -> Expectation | None:
    stated = update["package"].get("delivery_date_expectation")
    if not isinstance(stated, dict):
        return None
    for name in _FIELDS:
        value = stated.get(name)
        found = _DATE.match(value) if isinstance(value, str) else None
        if found:
            reported_at = update["reported_at"] or update["received_at"]
            return Expectation(found.group(), checked_stamp(reported_at))
    return None
