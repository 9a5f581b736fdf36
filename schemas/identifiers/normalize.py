"""From what was received, scanned or typed to the tracking number that is key and id."""

import re
from typing import Final

from schemas.identifiers.check_digits import mod10_fits, s10_fits
from schemas.identifiers.package_barcode import customer_mids, read_package_barcode
from schemas.identifiers.tracking_number import MidStatus, NumberKind, TrackingNumber

MAX_TRACKING_NUMBER_CHARACTERS: Final = 64

_LEGACY_DIGITS: Final = 20
_GXG_DIGITS: Final = 10
_S10: Final = re.compile(r"[A-Za-z]{2}[0-9]{9}[A-Za-z]{2}")
# What a scanner puts first to name the symbology: `]C1` is GS1-128.
_SYMBOLOGY: Final = re.compile(r"(?:\][A-Za-z][0-9])+")
# GS1 prints application identifiers in parentheses: (420)12345(92)055…
_PARENTHESES: Final = re.compile(r"(?:\((420)\))?([0-9]*+)(?:\((9[0-9])\))?([0-9]*+)")


def is_tracking_number(received: str) -> bool:
    """Whether it may flow: 1 to 64 characters, printable, not blank, barcode or not.

    Blanks and FNC1 (0x1D) may stand between the others.
    """
    if not 0 < len(received) <= MAX_TRACKING_NUMBER_CHARACTERS:
        return False
    compact = "".join(received.split())
    return compact != "" and compact.isprintable()


def normalize_tracking_number(received: str) -> TrackingNumber:
    """The tracking number in key form, and what its characters say; defined for every text.

    Normalizing a `value` again changes nothing. A wrong check digit is flagged, not mended.
    """
    text = received
    if not (text.isascii() and text.isdigit()):
        text = _without_marks(text)
        if not (text.isascii() and text.isdigit()):
            return _read_letters(text)
    return read_package_barcode(text) or _read_other_digits(text)


def _without_marks(received: str) -> str:
    """Without blanks, FNC1 (which Python counts as blank) and the marks of a symbology."""
    compact = "".join(received.split())
    prefix = _SYMBOLOGY.match(compact)
    if prefix and prefix.end() < len(compact):
        compact = compact[prefix.end() :]
    printed = _PARENTHESES.fullmatch(compact)
    return "".join(filter(None, printed.groups())) if printed else compact


def _read_letters(text: str) -> TrackingNumber:
    if not _S10.fullmatch(text):
        return _other(text)
    number = text.upper()
    return TrackingNumber(
        number, NumberKind.S10, None, MidStatus.ABSENT, s10_fits(number), construct="I01"
    )


def _read_other_digits(digits: str) -> TrackingNumber:
    if len(digits) == _LEGACY_DIGITS:
        return _read_legacy_20(digits)
    if len(digits) == _GXG_DIGITS and digits.startswith(("82", "83")):
        # Global Express Guaranteed; how its check digit is made is not established.
        return TrackingNumber(digits, NumberKind.GXG, None, MidStatus.ABSENT, None, construct="G01")
    return _other(digits)


def _read_legacy_20(digits: str) -> TrackingNumber:
    """STC 2, customer 9, serial 8, check digit; some were 22 digits and lost their `91`."""
    return TrackingNumber(
        digits,
        NumberKind.LEGACY_20,
        None,
        MidStatus.LEGACY_CUSTOMER_NUMBER,
        mod10_fits(digits) or mod10_fits(f"91{digits}"),
        customer_mids(digits[2:11]),
        digits[:2],
    )


def _other(text: str) -> TrackingNumber:
    """Another carrier's number, a test piece: it flows as it is."""
    return TrackingNumber(text, NumberKind.OTHER, None, MidStatus.ABSENT, None)
