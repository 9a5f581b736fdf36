"""What is mailed: classes with their code, Service Type Code and pace.

STCs 001, 055 and 612 are known for these classes (public label specimens); that of Express and
all paces and shares are invented.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class MailClass:
    """A class as payloads name it.

    Attributes:
        code: `mailClassCode`.
        name: `mailClass`, with the HTML marks that USPS sends.
        stc: Service Type Code, three digits of the barcode.
        transit_hours: Shortest and longest way between two plants.
        any_day: Delivered on Sundays too.
        share: Of all pieces, in hundredths.
        by_partner: A shipping partner may carry it first.
    """

    code: str
    name: str
    stc: str
    services: tuple[str, ...]
    transit_hours: tuple[int, int]
    any_day: bool
    share: int
    by_partner: bool = False


_TRACKING: Final = "USPS Tracking<SUP>&#174;</SUP>"

MAIL_CLASSES: Final = (
    MailClass(
        "GA",
        "USPS Ground Advantage<SUP>&#8482;</SUP>",
        "001",
        (_TRACKING,),
        transit_hours=(30, 84),
        any_day=False,
        share=60,
    ),
    MailClass(
        "PM",
        "Priority Mail<SUP>&#174;</SUP>",
        "055",
        (_TRACKING,),
        transit_hours=(14, 40),
        any_day=False,
        share=24,
    ),
    MailClass(
        "EX",
        "Priority Mail Express<SUP>&#174;</SUP>",
        "701",
        (_TRACKING, "Up to $100 insurance included"),
        transit_hours=(7, 14),
        any_day=True,
        share=6,
    ),
    MailClass(
        "PS",
        "Parcel Select",
        "612",
        (_TRACKING,),
        transit_hours=(48, 120),
        any_day=False,
        share=10,
        by_partner=True,
    ),
)
