"""Journeys are deterministic, and what travels and when is plausible."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import dropwhile, pairwise

import pytest

from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import MANY, NONE, USUAL
from receiver.simulator.places import plant_of, towns
from receiver.simulator.scans import Ending, Journey, Oddity, Shipper, Stated
from schemas.event import EventCategory
from schemas.identifiers import MidStatus, normalize_tracking_number
from schemas.usps.codes import event_codes, facts_of
from schemas.usps.zones import zone_of_zip

NOW = datetime(2026, 11, 24, 5, 17, 3, 123456, tzinfo=UTC)
LONG, SHORT = Shipper("912345678"), Shipper("123456")


_LAST = {
    Ending.TO_AGENT: EventCategory.DELIVERED_TO_AGENT,
    Ending.DEAD_LETTER: EventCategory.EXCEPTION,
}


def journeys(
    count: int, seed: int = 1, rates: object = USUAL, shippers: tuple[Shipper, ...] = (LONG, SHORT)
) -> list[Journey]:
    """So many journeys."""
    maker = JourneyMaker(seed, shippers, NOW, rates)  # type: ignore[arg-type]
    return list(maker.journeys(count))


def codes(journey: Journey) -> Iterator[str]:
    """Its event codes as they become known."""
    return (scan.code for leg in journey.legs for scan in leg.scans)


def test_same_seed_gives_the_same_journeys() -> None:
    """Seed and time decide everything; another seed gives other journeys."""
    assert journeys(50) == journeys(50)
    assert journeys(50) != journeys(50, seed=2)


def test_numbers_carry_the_mid_and_a_right_check_digit() -> None:
    """A number is read back to exactly the MID of its subscription, also with routing."""
    for journey in journeys(300, rates={Oddity.ROUTING_PREFIX: 0.5}):
        read = normalize_tracking_number(journey.sent_as)
        assert (read.value, read.mid_status) == (journey.tracking_number, MidStatus.EXACT)
        assert (read.mid, read.check_digit_ok) == (journey.shipper.mid, True)


def test_numbers_do_not_repeat() -> None:
    """Every journey has a number of its own."""
    numbers = [journey.tracking_number for journey in journeys(3_000)]
    assert len(set(numbers)) == len(numbers)


def test_wrong_check_digits_are_wrong() -> None:
    """The oddity spoils the check digit and nothing else."""
    for journey in journeys(20, rates={Oddity.WRONG_CHECK_DIGIT: 1.0}):
        read = normalize_tracking_number(journey.sent_as)
        assert (read.mid, read.check_digit_ok) == (journey.shipper.mid, False)


def test_ordinary_journeys_run_from_label_to_delivery() -> None:
    """Label, acceptance, processing, an end; times only increase and nothing is to come."""
    for journey in journeys(200, rates=NONE):
        (leg,) = journey.legs
        categories = [facts_of(scan.code).category for scan in leg.scans]
        assert categories[0] is EventCategory.PRE_SHIPMENT
        early = list(dropwhile(lambda one: one is EventCategory.PRE_SHIPMENT, categories))
        assert early[0] is EventCategory.ACCEPTED
        assert EventCategory.PRE_SHIPMENT not in early
        assert categories[-1] is _LAST.get(leg.ending, EventCategory.DELIVERED)
        assert all(early.at < late.at for early, late in pairwise(leg.scans))
        assert leg.scans[-1].at <= NOW
        assert all(scan.known_at == scan.at for scan in leg.scans)


def test_carriers_work_by_day() -> None:
    """Deliveries happen from 10 to 19 local time, out-for-delivery scans from 7 to 9.

    Give or take an hour: most of these journeys are moved from winter time into summer time.
    """
    for journey in journeys(200, rates=NONE):
        for scan in journey.legs[0].scans:
            if scan.code == "OF":
                assert 7 <= scan.local.hour < 10
            if scan.code == "01":
                assert 9 <= scan.local.hour < 20


def test_every_ending_occurs() -> None:
    """Attempts, pick-ups, forwards, returns and refusals are among a thousand journeys."""
    endings = {leg.ending for journey in journeys(1_000) for leg in journey.legs}
    assert endings == set(Ending)


def test_every_code_of_the_table_occurs() -> None:
    """A few thousand packages meet all that USPS's codes can say, and some that they cannot."""
    met = {code for journey in journeys(3_000, rates=MANY) for code in codes(journey)}
    assert set(event_codes()) < met


def test_whatever_moves_a_piece_states_its_time() -> None:
    """Only what computers made may lack it: it would count as of the time of its receipt."""
    for journey in journeys(500, rates=MANY):
        for leg in journey.legs:
            timeless = [scan.code for scan in leg.scans if scan.stated is Stated.NOT]
            assert not any(facts_of(code).physical for code in timeless)


def test_partners_bring_pieces_of_their_class_only() -> None:
    """A shipping partner's scans come before USPS's, and only for classes that allow it."""
    brought = [journey.legs[0] for journey in journeys(500, rates=NONE) if "80" in codes(journey)]
    assert len(brought) > 5
    for leg in brought:
        assert leg.mail_class.by_partner
        told = [scan.code for scan in leg.scans]
        begins = told.index("80")
        assert told[begins : begins + 4] == ["80", "81", "82", "83"]
        assert all(
            facts_of(code).physical for code in told[begins + 4 :] if code not in {"NT", "GC", "DX"}
        )


def test_unclaimed_pieces_wait_two_weeks() -> None:
    """A pickup point keeps a piece for about fifteen days before it is sent back."""
    kept = [
        (early, late)
        for journey in journeys(1_000, rates=NONE)
        for early, late in pairwise(journey.legs[0].scans)
        if late.code == "31"
    ]
    assert len(kept) > 3
    for early, late in kept:
        assert early.code in {"14", "16"}
        assert 13 <= (late.at - early.at).days <= 16


def test_every_oddity_occurs_as_often_as_asked() -> None:
    """The preset for hard runs has each oddity among two hundred journeys."""
    met = {oddity for journey in journeys(200, rates=MANY) for oddity in journey.oddities}
    assert met == set(Oddity)


def test_late_scans_become_known_late() -> None:
    """A device that is read out late tells of its scan after later ones."""
    disordered = 0
    for journey in journeys(50, rates={Oddity.LATE_SYNC: 1.0}):
        scans = journey.legs[0].scans
        assert all(early.known_at <= late.known_at for early, late in pairwise(scans))
        assert any(scan.known_at > scan.at for scan in scans)
        assert scans[-1].known_at <= NOW
        disordered += any(early.at > late.at for early, late in pairwise(scans))
    assert disordered > 20


@pytest.mark.parametrize(
    ("oddity", "tail"),
    [(Oddity.OUT_AFTER_DELIVERED, "OF"), (Oddity.DELIVERED_TWICE, "01")],
)
def test_contradictions_come_after_delivery(oddity: Oddity, tail: str) -> None:
    """After `delivered` another scan says otherwise, or the same once more."""
    for journey in journeys(20, rates={oddity: 1.0}):
        if journey.legs[0].ending not in _LAST:
            assert list(codes(journey))[-2:] == ["01", tail]


def test_repeated_scans_share_code_place_and_minute() -> None:
    """Only the count within the history tells such scans apart."""
    for journey in journeys(20, rates={Oddity.REPEATED_SCAN: 1.0}):
        scans = journey.legs[0].scans
        keys = [(scan.code, scan.place, scan.local.strftime("%Y%m%d%H%M")) for scan in scans]
        assert len(set(keys)) == len(keys) - 1


def test_unknown_codes_mean_nothing() -> None:
    """The oddity adds one scan whose code has no meaning in the table."""
    for journey in journeys(20, rates={Oddity.UNKNOWN_CODE: 1.0}):
        unknown = [code for code in codes(journey) if not facts_of(code).name]
        assert len(unknown) == 1


def test_reused_numbers_had_an_earlier_piece() -> None:
    """The earlier piece ended more than 120 days before the later one began."""
    for journey in journeys(20, rates={Oddity.REUSED_NUMBER: 1.0}):
        earlier, later = journey.legs
        assert (later.scans[0].at - earlier.scans[-1].at).days > 120
        assert earlier.unique_id != later.unique_id


def test_a_single_number_travels_once() -> None:
    """A subscription for one number gives one journey, and then there is nothing to tell."""
    number = "9205591234567800000011"
    (journey,) = journeys(5, shippers=(Shipper("", number),))
    assert journey.tracking_number == number


def test_places_keep_the_time_of_their_zip() -> None:
    """The zones of towns and plants are those by which events are put in order."""
    for town in towns():
        for place in (town, plant_of(town)):
            assert str(zone_of_zip(place.zip)) == place.zone_name, place
