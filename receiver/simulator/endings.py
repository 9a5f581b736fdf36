"""How a piece's journey ends: delivered at once or later, fetched, sent on or sent back."""

from collections.abc import Callable, Mapping
from typing import Final

from receiver.simulator.course import Course
from receiver.simulator.places import Place, plant_of, towns
from receiver.simulator.scans import Ending

_DELIVERING: Final = (10, 19)
_COLLECTING: Final = (9, 17)
_EVENING: Final = (20, 23)
# A pickup point keeps a piece so long.
_KEPT_MINUTES: Final = (14 * 1_440, 16 * 1_440)

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
    ("30", "Delivery Attempted - No Access to Delivery Location"),
    ("51", "Notice Left (Business Closed)"),
    ("52", "Notice Left"),
    ("53", "Notice Left (Receptacle Blocked)"),
    ("54", "Notice Left (Receptacle Full/Item Oversized)"),
    ("55", "Notice Left (No Secure Location Available)"),
    ("56", "Notice Left (No Authorized Recipient Available)"),
)
_RETURNS: Final = (
    ("21", "No Such Number"),
    ("22", "Insufficient Address"),
    ("23", "Moved, Left no Address"),
    ("24", "Forward Expired"),
    ("25", "Addressee Unknown"),
    ("26", "Vacant"),
    ("27", "Unclaimed"),
    ("28", "Deceased"),
    ("29", "Return to Sender"),
)
_PICKUP_POINTS: Final = (
    ("14", "Arrived at Pickup Point"),
    ("16", "Available for Pickup"),
)
_AGENTS: Final = (
    ("17", "Picked Up By Agent"),
    ("42", "USPS Handoff to Shipping Partner"),
    ("MR", "Picked Up and Processed by Agent"),
)
_UNDELIVERABLE: Final = ("05", "Undeliverable as Addressed")
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
    course.scan_one(_ATTEMPTS, town)


def _delivered(course: Course, _: Place, town: Place) -> None:
    deliver(course, town)


def _second_attempt(course: Course, _: Place, town: Place) -> None:
    _attempt(course, town)
    course.go_out(town)
    deliver(course, town)


def _rescheduled(course: Course, _: Place, town: Place) -> None:
    course.wait_for(_DELIVERING, town)
    course.scan("71", "Rescheduled to Next Delivery Day", town)
    course.go_out(town)
    deliver(course, town)


def _unscanned(course: Course, _: Place, town: Place) -> None:
    """Nobody scanned it, so USPS's computers ask; the carrier has it on the next day."""
    course.wait_for(_EVENING, town)
    course.scan("DX", "Awaiting Delivery Scan", town)
    course.go_out(town)
    deliver(course, town)


def _to_agent(course: Course, _: Place, town: Place) -> None:
    course.wait_for(_DELIVERING, town)
    course.scan_one(_AGENTS, town)


def _to_pickup_point(course: Course, town: Place) -> None:
    _attempt(course, town)
    course.pass_minutes(60, 180)
    course.scan_one(_PICKUP_POINTS, town)


def _not_picked_up(course: Course, origin: Place, town: Place) -> None:
    _to_pickup_point(course, town)
    course.pass_minutes(*_KEPT_MINUTES)
    _go_back(course, origin, town, "31", "Return to Sender/Not Picked Up")


def _picked_up(course: Course, _: Place, town: Place) -> None:
    _to_pickup_point(course, town)
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


def _recalled(course: Course, origin: Place, town: Place) -> None:
    course.pass_minutes(60, 240)
    _go_back(course, origin, town, "44", "Customer Recall")


def _undeliverable(course: Course, origin: Place, town: Place) -> None:
    course.pass_minutes(60, 240)
    _go_back(course, origin, town, *_UNDELIVERABLE)


def _dead_letter(course: Course, _: Place, town: Place) -> None:
    """Neither the recipient nor the sender can be found."""
    course.pass_minutes(60, 240)
    course.scan(*_UNDELIVERABLE, town)
    course.pass_minutes(1_440, 7_200)
    course.scan("11", "Sent to Mail Recovery Center", plant_of(town))


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
    Ending.NOT_PICKED_UP: _not_picked_up,
    Ending.RESCHEDULED: _rescheduled,
    Ending.UNSCANNED: _unscanned,
    Ending.TO_AGENT: _to_agent,
    Ending.FORWARDED: _forwarded,
    Ending.RETURNED: _returned,
    Ending.REFUSED: _refused,
    Ending.RECALLED: _recalled,
    Ending.UNDELIVERABLE: _undeliverable,
    Ending.DEAD_LETTER: _dead_letter,
}
# Of all pieces, in hundredths.
SHARES: Final[Mapping[Ending, int]] = {
    Ending.DELIVERED: 70,
    Ending.SECOND_ATTEMPT: 7,
    Ending.PICKED_UP: 4,
    Ending.NOT_PICKED_UP: 1,
    Ending.RESCHEDULED: 2,
    Ending.UNSCANNED: 2,
    Ending.TO_AGENT: 2,
    Ending.FORWARDED: 3,
    Ending.RETURNED: 4,
    Ending.REFUSED: 2,
    Ending.RECALLED: 1,
    Ending.UNDELIVERABLE: 1,
    Ending.DEAD_LETTER: 1,
}
