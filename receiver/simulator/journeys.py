"""Package journeys without end, deterministic: the same seed and time give the same ones."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from receiver.simulator import inbound
from receiver.simulator.course import Course
from receiver.simulator.endings import ENDINGS, SHARES
from receiver.simulator.mail_classes import MAIL_CLASSES, MailClass
from receiver.simulator.numbers import NumberMaker
from receiver.simulator.oddities import USUAL, Rates, drawn, with_oddities
from receiver.simulator.places import Place, towns
from receiver.simulator.scans import Journey, Leg, Oddity, Scan, Shipper
from receiver.simulator.seeded import seeded

_ENDINGS: Final = tuple(SHARES)
_ENDING_SHARES: Final = tuple(SHARES.values())
_CLASS_SHARES: Final = tuple(mail_class.share for mail_class in MAIL_CLASSES)
# Long enough for a number to be used again, and below the two years of packages' memory.
_REUSE_DAYS: Final = (180, 420)
_SHORT_NUMBER_DIGITS: Final = 22
_WEEK: Final = timedelta(days=7)


class JourneyMaker:
    """Makes journeys that have all happened by `now` (aware, in UTC).

    They are moved by whole weeks, so that weekdays and hours stay as plausible as they were
    planned, but for the hour of daylight saving time.
    """

    def __init__(
        self, seed: int, shippers: Sequence[Shipper], now: datetime, rates: Rates = USUAL
    ) -> None:
        self._seed = seed
        self._shippers = list(shippers)
        self._made = 0
        self._now = now
        self._rates = rates
        self._numbers = NumberMaker(seeded(seed, "numbers"))

    def journeys(self, count: int | None = None) -> Iterator[Journey]:
        """So many of them, or without end. A shipper's single number travels once."""
        while (count is None or self._made < count) and (journey := self.next()) is not None:
            yield journey

    def next(self) -> Journey | None:
        """One more; None while nobody ships."""
        if not self._shippers:
            return None
        choose = seeded(self._seed, str(self._made))
        shipper = choose.choice(self._shippers)
        if shipper.tracking_number is not None:
            self._shippers.remove(shipper)
        self._made += 1
        return self._make(choose, shipper)

    def add(self, shipper: Shipper) -> None:
        """One more who ships from now on."""
        if shipper not in self._shippers:
            self._shippers.append(shipper)

    def _make(self, choose: Random, shipper: Shipper) -> Journey:
        oddities = drawn(choose, self._rates)
        mail_class = choose.choices(MAIL_CLASSES, _CLASS_SHARES)[0]
        legs = [self._leg(choose, mail_class, oddities, self._now)]
        if Oddity.REUSED_NUMBER in oddities:
            before = self._now - timedelta(days=choose.randrange(*_REUSE_DAYS))
            legs.insert(0, self._leg(choose, mail_class, frozenset(), before))
        number = shipper.tracking_number or self._number(shipper.mid, mail_class, oddities)
        return Journey(number, _sent_as(number, legs, oddities), shipper, tuple(legs), oddities)

    def _number(self, mid: str, mail_class: MailClass, oddities: frozenset[Oddity]) -> str:
        number = self._numbers.make(mid, mail_class.stc)
        if Oddity.WRONG_CHECK_DIGIT not in oddities:
            return number
        return f"{number[:-1]}{(int(number[-1]) + 1) % 10}"

    def _leg(
        self, choose: Random, mail_class: MailClass, oddities: frozenset[Oddity], until: datetime
    ) -> Leg:
        origin, destination = choose.sample(towns(), 2)
        ending = choose.choices(_ENDINGS, _ENDING_SHARES)[0]
        minutes = choose.randrange(24 * 60)
        begins = (until - _WEEK).replace(second=0, microsecond=0) - timedelta(minutes=minutes)
        course = Course(choose, mail_class, begins, delayed=Oddity.DELAYED in oddities)
        _travel(course, mail_class, origin, destination)
        ENDINGS[ending](course, origin, destination)
        scans = _moved_before(with_oddities(choose, course.scans, oddities), until)
        mailed_on = scans[0].local.date().isoformat()
        unique_id = f"{choose.randrange(10**12):012d}"
        return Leg(mail_class, origin, destination, mailed_on, unique_id, ending, tuple(scans))


def _sent_as(number: str, legs: list[Leg], oddities: frozenset[Oddity]) -> str:
    """With 420 + ZIP in front, but not 26 digits: that can be read in two ways."""
    if Oddity.ROUTING_PREFIX not in oddities or len(number) != _SHORT_NUMBER_DIGITS:
        return number
    return f"420{legs[-1].destination.zip}{number}"


def _travel(course: Course, mail_class: MailClass, origin: Place, destination: Place) -> None:
    """From the label until it is with the carrier."""
    course.label(origin)
    inbound.announce(course, origin)
    brought = inbound.is_brought(course, mail_class)
    if brought and inbound.bring(course, origin, destination):
        inbound.enter(course, destination)
    else:
        course.accept(origin)
        course.transport(origin, destination)
    course.arrive(destination)
    course.go_out(destination)


def _moved_before(scans: list[Scan], until: datetime) -> list[Scan]:
    """Moved by whole weeks, so that all is known by `until` and the end is less than one ago."""
    overhang = max(scan.known_at for scan in scans) - until
    moved = -_WEEK * -(-overhang // _WEEK)
    return [replace(scan, at=scan.at + moved, known_at=scan.known_at + moved) for scan in scans]
