"""How a piece's journey ends: delivered at once or later, fetched, sent on or sent back."""

from collections.abc import Callable, Mapping
from typing import Final

from receiver.simulator.course import Course
from receiver.simulator.places import Place, towns
from receiver.simulator.scans import Ending

_DELIVERING: Final = (10, 19)
_COLLECTING: Final = (9, 17)

# Delivery attributes as answers name them (`reasonCode`), with their texts.
_DELIVERIES: Final = (
    ("01", "Delivered, In/At Mailbox"),
    ("02", "Delivered, Front Door/Porch"),
    ("03", "Delivered, Parcel Locker"),
    ("04", "Delivered, Left with Individual"),
    ("05", "Delivered, Front Desk/Reception/Mail Room"),
)
_ATTEMPTS: Final = (
    ("02", "Notice Left"),
    ("53", "Notice Left (Receptacle Blocked)"),
    ("55", "Notice Left (No Secure Location Available)"),
    ("30", "Delivery Attempted - No Access to Delivery Location"),
)
_RETURNS: Final = (
    ("21", "No Such Number"),
    ("22", "Insufficient Address"),
    ("23", "Moved, Left no Address"),
    ("27", "Unclaimed"),
)
_TO_SENDER: Final = ("41", "Delivered, To Original Sender")
# Invented people: a test looks for them wherever they must not be.
RECIPIENTS: Final = ("Q TESTPERSON", "R SAMPLEWOMAN", "S PLACEHOLDER", "T NOBODYSON")


def deliver(course: Course, town: Place, how: tuple[str, str] | None = None) -> None:
    """The carrier hands it over, the same day as it went out."""
    reason, text = how or course.choose.choice(_DELIVERIES)
    course.wait_for(_DELIVERING, town)
    course.scan("01", text, town, reasonCode=reason, recipientName=course.choose.choice(RECIPIENTS))


def _attempt(course: Course, town: Place) -> None:
    course.wait_for(_DELIVERING, town)
    code, text = course.choose.choice(_ATTEMPTS)
    course.scan(code, text, town)


def _delivered(course: Course, _: Place, town: Place) -> None:
    deliver(course, town)


def _second_attempt(course: Course, _: Place, town: Place) -> None:
    _attempt(course, town)
    course.go_out(town)
    deliver(course, town)


def _picked_up(course: Course, _: Place, town: Place) -> None:
    _attempt(course, town)
    course.pass_minutes(60, 180)
    course.scan("16", "Available for Pickup", town)
    course.wait_for(_COLLECTING, town)
    course.scan(
        "01",
        "Delivered, Individual Picked Up at Post Office",
        town,
        reasonCode="10",
        recipientName=course.choose.choice(RECIPIENTS),
    )


def _forwarded(course: Course, _: Place, town: Place) -> None:
    course.pass_minutes(60, 240)
    course.scan("06", "Forwarded", town)
    elsewhere = course.choose.choice([other for other in towns() if other != town])
    course.transport(town, elsewhere)
    course.arrive(elsewhere)
    course.go_out(elsewhere)
    deliver(course, elsewhere)


def _returned(course: Course, origin: Place, town: Place) -> None:
    _attempt(course, town)
    course.pass_minutes(600, 2_880)
    _go_back(course, origin, town, *course.choose.choice(_RETURNS))


def _refused(course: Course, origin: Place, town: Place) -> None:
    course.pass_minutes(60, 240)
    _go_back(course, origin, town, "04", "Refused")


def _go_back(course: Course, origin: Place, town: Place, code: str, text: str) -> None:
    course.scan(code, text, town)
    course.pass_minutes(60, 300)
    course.scan("09", "Return to Sender", town)
    course.transport(town, origin)
    course.arrive(origin)
    course.go_out(origin)
    deliver(course, origin, _TO_SENDER)


End = Callable[[Course, Place, Place], None]
# What happens after the piece went out: course, where it was mailed, where it should arrive.
ENDINGS: Final[Mapping[Ending, End]] = {
    Ending.DELIVERED: _delivered,
    Ending.SECOND_ATTEMPT: _second_attempt,
    Ending.PICKED_UP: _picked_up,
    Ending.FORWARDED: _forwarded,
    Ending.RETURNED: _returned,
    Ending.REFUSED: _refused,
}
# Of all pieces, in hundredths.
SHARES: Final[Mapping[Ending, int]] = {
    Ending.DELIVERED: 80,
    Ending.SECOND_ATTEMPT: 7,
    Ending.PICKED_UP: 4,
    Ending.FORWARDED: 3,
    Ending.RETURNED: 4,
    Ending.REFUSED: 2,
}
