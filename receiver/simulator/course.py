"""A piece under way: where its clock stands, and what was scanned so far."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, Final

from receiver.simulator.mail_classes import MailClass
from receiver.simulator.places import Place, plant_of
from receiver.simulator.scans import Scan, Stated

_SUNDAY: Final = 6
# Local hours, from and until, within which a thing happens.
_ACCEPTING: Final = (9, 18)
_SORTING: Final = (19, 24)
_ARRIVING: Final = (4, 7)
_LEAVING: Final = (7, 9)
# Of journeys: with a notice between the plants, with scans on leaving post office and plant,
# with an electronic return receipt.
_NOTICE_SHARE: Final = 0.3
_NOTICE_SCANNED_SHARE: Final = 0.3
_DEPARTURE_SHARE: Final = 0.5
_RECEIPT_SHARE: Final = 0.03

Named = tuple[str, str]
_LABELS: Final = (
    ("GX", "Shipping Label Created, USPS Awaiting Item", Stated.GMT_FIELDS),
    ("MA", "Pre-Shipment Info Sent to USPS", Stated.DAY),
)
_ACCEPTANCES: Final[Sequence[Named]] = (
    ("03", "USPS in possession of item"),
    ("03", "Picked Up"),
    ("03", "Acceptance"),
    ("OA", "Accepted at USPS Origin Facility"),
    ("PA", "Shipment Received, Package Acceptance Pending"),
    ("TM", "Shipment Received, Package Acceptance Pending"),
    ("UA", "Accepted at USPS Facility"),
    ("43", "Picked Up"),
)
_PLANT_ARRIVALS: Final[Sequence[Named]] = (
    ("10", "Arrived at USPS Regional %s Facility"),
    ("10", "Processed Through USPS Regional %s Facility"),
    ("A1", "Arrived at USPS Regional Facility"),
    ("U1", "Arrived at USPS Regional Facility"),
)
_PLANT_DEPARTURES: Final[Sequence[Named]] = (
    ("EF", "Departed USPS Regional Facility"),
    ("T1", "Departed USPS Regional Facility"),
    ("L1", "Departed USPS Regional Facility"),
)
_NEXT_FACILITY: Final = "In Transit to Next Facility"


class Course:
    """Moves one piece on, step by step; every step waits for its hours and adds its scans."""

    def __init__(
        self, choose: Random, mail_class: MailClass, begins: datetime, *, delayed: bool = False
    ) -> None:
        self.choose = choose
        self.scans: list[Scan] = []
        self._mail_class = mail_class
        self._now = begins
        self._delayed = delayed

    def label(self, town: Place) -> None:
        """The shipper's data reach USPS."""
        code, text, stated = self.choose.choice(_LABELS)
        self.scan(code, text, town, stated)
        self.pass_minutes(60, 1_200)

    def accept(self, town: Place) -> None:
        """USPS takes the piece."""
        self.wait_for(_ACCEPTING, town)
        self.scan_one(_ACCEPTANCES, town)
        if self.choose.random() < _RECEIPT_SHARE:
            self.scan("GC", "Return Receipt Associated", town)
        if self.choose.random() < _DEPARTURE_SHARE:
            self.pass_minutes(30, 120)
            self.scan("SF", "Departed Post Office", town)

    def transport(self, start: Place, goal: Place) -> None:
        """Through both plants; between them USPS only says that the piece is on its way."""
        here, there = plant_of(start), plant_of(goal)
        self.wait_for(_SORTING, here)
        self._at_plant(here, "Origin")
        self.pass_minutes(60, 240)
        self.scan_one(_PLANT_DEPARTURES, here)
        if here != there:
            self._long_way(here, there)

    def _at_plant(self, plant: Place, kind: str) -> None:
        code, text = self.choose.choice(_PLANT_ARRIVALS)
        self.scan(code, text % kind if "%" in text else text, plant)

    def _long_way(self, here: Place, there: Place) -> None:
        shortest, longest = self._mail_class.transit_hours
        self.pass_minutes(shortest * 30, longest * 30)
        if self._delayed:
            self.scan("NT", "In Transit, Arriving Late", None, Stated.NOT)
            self.pass_minutes(1_440, 4_320)
        elif self.choose.random() < _NOTICE_SHARE:
            self._notice(here)
        self.pass_minutes(shortest * 30, longest * 30)
        self._at_plant(there, "Destination")
        if self.choose.random() < _DEPARTURE_SHARE:
            self.pass_minutes(60, 360)
            self.scan_one(_PLANT_DEPARTURES, there)

    def _notice(self, here: Place) -> None:
        """Computed, without time and place; or with those of the plant that the piece left."""
        if self.choose.random() < _NOTICE_SCANNED_SHARE:
            self.scan("TL", _NEXT_FACILITY, here)
        else:
            self.scan("NT", _NEXT_FACILITY, None, Stated.NOT)

    def arrive(self, town: Place) -> None:
        """At the post office that delivers."""
        self.wait_for(_ARRIVING, town)
        self.scan("07", "Arrived at Post Office", town)
        self.pass_minutes(5, 50)
        self.scan("PC", "Sorting Complete", town)

    def go_out(self, town: Place) -> None:
        """With the carrier."""
        self.wait_for(_LEAVING, town, workday=not self._mail_class.any_day)
        self.scan("OF", "Out for Delivery", town)

    def scan_one(self, choices: Sequence[Named], place: Place) -> None:
        """Adds one of several scans that may happen here, each as likely."""
        code, text = self.choose.choice(choices)
        self.scan(code, text, place)

    def scan(
        self,
        code: str,
        text: str,
        place: Place | None,
        stated: Stated = Stated.GMT_FIELDS,
        **details: Any,  # noqa: ANN401 -- event fields as USPS names them
    ) -> None:
        """Adds a scan of this moment; equal moments do not occur."""
        self.scans.append(Scan(code, text, self._now, self._now, place, stated, details))
        self._now += timedelta(seconds=self.choose.randrange(61, 180))

    def pass_minutes(self, fewest: int, most: int) -> None:
        """Lets time go by."""
        self._now += timedelta(seconds=self.choose.randrange(fewest * 60, most * 60 + 1))

    def wait_for(self, hours: tuple[int, int], place: Place, *, workday: bool = False) -> None:
        """Until some moment within these local hours: today's if it is not past, else the next."""
        first, last = hours
        seconds = self.choose.randrange(first * 3600, last * 3600)
        local = self._now.astimezone(place.zone)
        midnight = datetime.combine(local.date(), time.min, place.zone)
        moment = midnight + timedelta(seconds=seconds)
        while moment.astimezone(UTC) <= self._now or (workday and moment.weekday() == _SUNDAY):
            moment += timedelta(days=1)
        self._now = moment.astimezone(UTC)
