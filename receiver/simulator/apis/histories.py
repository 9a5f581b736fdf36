"""What USPS knows of each package so far: the answers of the Tracking API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson

from receiver.simulator.payloads import LegText
from receiver.simulator.scans import Journey

# A package is some kilobytes. Older ones are forgotten, as USPS forgets after 120 days.
PACKAGES_KEPT: Final = 50_000


@dataclass(frozen=True, slots=True)
class _Known:
    """The pieces under a number so far: all legs before `leg`, and so many scans of that one."""

    journey: Journey
    leg: int
    scans: int


class Histories:
    """Grows with every scan; keeps the packages that were scanned last."""

    def __init__(self, packages_kept: int = PACKAGES_KEPT) -> None:
        self._kept = packages_kept
        self._known: dict[str, _Known] = {}

    @property
    def numbers(self) -> tuple[str, ...]:
        """Of which anything is known; the longest silent one first."""
        return tuple(self._known)

    def knows(self, tracking_number: str) -> bool:
        """Whether anything is known of it."""
        return tracking_number in self._known

    def scanned(self, journey: Journey, leg: int, scans: int) -> None:
        """The first so many scans of a journey's leg (counted from 0) are known now."""
        self._known.pop(journey.tracking_number, None)
        self._known[journey.tracking_number] = _Known(journey, leg, scans)
        if len(self._known) > self._kept:
            del self._known[next(iter(self._known))]

    def mid(self, tracking_number: str) -> str | None:
        """The MID of a known package; None for an unknown one, and for one without."""
        known = self._known.get(tracking_number)
        return None if known is None else known.journey.shipper.mid or None

    def detail(
        self, tracking_number: str, mailing_date: date | None = None, zip_code: str | None = None
    ) -> Mapping[str, Any] | None:
        """The newest piece of a number, or the newest that fits; None if there is none."""
        known = self._known.get(tracking_number)
        if known is None:
            return None
        for index in range(known.leg, -1, -1):
            leg = known.journey.legs[index]
            fits_date = mailing_date is None or leg.mailed_on == mailing_date.isoformat()
            if fits_date and zip_code in {None, leg.destination.zip}:
                scans = known.scans if index == known.leg else len(leg.scans)
                told = LegText(known.journey, leg).ordinary(scans)
                found: dict[str, Any] = orjson.loads(told)
                return found
        return None
