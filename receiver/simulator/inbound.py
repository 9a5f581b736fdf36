"""Before USPS has a piece: the order, a post abroad, a partner that brings it."""

from typing import Final

from receiver.simulator.course import Course, Named
from receiver.simulator.mail_classes import MailClass
from receiver.simulator.places import Place

# Of all pieces; of those that a class lets a partner bring.
_ORDER_SHARE: Final = 0.03
_ABROAD_SHARE: Final = 0.02
_PARTNER_SHARE: Final = 0.4
# Of those that a partner brings: straight to the post office that delivers.
_DROP_SHIPPED_SHARE: Final = 0.6
_BY_DAY: Final = (8, 18)
_ENTRIES: Final[tuple[Named, ...]] = (
    ("AD", "Accepted at USPS Destination Facility"),
    ("41", "Received at Opening Unit"),
    ("19", "Arrived at Distribution Center"),
)


def announce(course: Course, town: Place) -> None:
    """What is known beside the label: an order, or that a post abroad prepares the piece."""
    if course.choose.random() < _ORDER_SHARE:
        course.scan("89", "Merchant Order Received, USPS Awaiting Item", town)
    elif course.choose.random() < _ABROAD_SHARE:
        course.scan("NP", "Origin Post is Preparing Shipment", town)


def is_brought(course: Course, mail_class: MailClass) -> bool:
    """Whether a shipping partner carries the piece first."""
    return mail_class.by_partner and course.choose.random() < _PARTNER_SHARE


def bring(course: Course, origin: Place, destination: Place) -> bool:
    """The partner's scans; True if the piece enters USPS at its destination."""
    course.wait_for(_BY_DAY, origin)
    course.scan("80", "Picked Up by Shipping Partner, USPS Awaiting Item", origin)
    course.pass_minutes(120, 600)
    course.scan("81", "Arrived Shipping Partner Facility, USPS Awaiting Item", origin)
    course.pass_minutes(120, 1_200)
    course.scan("82", "Departed Shipping Partner Facility, USPS Awaiting Item", origin)
    drop_shipped = course.choose.random() < _DROP_SHIPPED_SHARE
    town = destination if drop_shipped else origin
    course.wait_for(_BY_DAY, town)
    course.scan("83", "Tendered to Postal Service", town)
    return drop_shipped


def enter(course: Course, town: Place) -> None:
    """USPS takes a piece where it is to be delivered."""
    course.pass_minutes(20, 180)
    if course.choose.random() < 1 / len(_ENTRIES):
        course.scan(*_ENTRIES[0], town)
        return
    course.scan("03", "Acceptance", town)
    course.pass_minutes(20, 180)
    course.scan_one(_ENTRIES[1:], town)
