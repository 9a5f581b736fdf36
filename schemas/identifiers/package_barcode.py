"""Reading the digits of a package barcode: routing ZIP, PIC, STC and MID.

Anatomy: [420 + ZIP] + application identifier 2 + STC 3 + … + check digit; everything after
the routing is the PIC, the tracking number. Sources: USPS Publication 199 and USPS2000508,
both second hand through USPS's own eVS Java classes and AFPC-0005 (2023).
"""

from typing import Final

from schemas.identifiers.check_digits import mod10_fits
from schemas.identifiers.mid import is_mid
from schemas.identifiers.tracking_number import MidStatus, NumberKind, TrackingNumber

ROUTING: Final = "420"
_ZIP5: Final = slice(3, 8)
_ZIP9: Final = slice(3, 12)
_ZIP5_DIGITS: Final = (8 + 22, 8 + 30)
_EITHER_DIGITS: Final = 34  # 12 + 22 or 8 + 26
_SHORT_PIC_DIGITS: Final = 22
_EFN_STC: Final = "750"
_LEGACY_EFN_STC: Final = "50"

# Which identifiers exist at which PIC length. 96 is FedEx Ground's and so none of ours.
_IDENTIFIERS: Final = {
    22: frozenset({"91", "92", "93", "94", "95"}),
    26: frozenset({"92", "93", "94"}),
    30: frozenset({"92", "93", "94", "95"}),
}

# (identifier, PIC digits, routing ZIP digits); those of 94 and 95 are not established.
_CONSTRUCTS: Final = {
    ("92", 22, 9): "C01",
    ("92", 26, 5): "C02",
    ("92", 22, 5): "C03",
    ("92", 22, 0): "C04",
    ("93", 22, 9): "C05",
    ("93", 26, 5): "C06",
    ("93", 22, 5): "C07",
    ("93", 22, 0): "C08",
    ("93", 26, 0): "C09",
    ("92", 26, 0): "C10",
    ("91", 22, 0): "L01",
}


def read_package_barcode(digits: str) -> TrackingNumber | None:
    """The facts of 22, 26, 30, 34 or 38 digits; None if they are no package barcode."""
    length = len(digits)
    if not digits.startswith(ROUTING):
        return read_pic(digits, None) if is_pic(digits) else None
    if length == _EITHER_DIGITS:
        return _read_either(digits)
    if length in _ZIP5_DIGITS and is_pic(digits[8:]):
        return read_pic(digits[8:], digits[_ZIP5])
    return None


def is_pic(digits: str) -> bool:
    """Whether the digits have a PIC's length and an identifier that exists at that length."""
    return digits[:2] in _IDENTIFIERS.get(len(digits), ())


def read_pic(pic: str, routing_zip: str | None) -> TrackingNumber:
    """The facts of a PIC for which `is_pic` holds."""
    identifier = pic[:2]
    if identifier == "91":
        return _read_legacy_pic(pic, routing_zip)
    stc = pic[2:5]
    check_digit_ok = mod10_fits(pic)
    mid = _mid_of(identifier, pic)
    is_efn = identifier == "92" and stc == _EFN_STC
    return TrackingNumber(
        pic,
        NumberKind.ELECTRONIC_FILE_NUMBER if is_efn else NumberKind.IMPB,
        mid,
        _mid_status(identifier, mid, check_digit_ok),
        check_digit_ok,
        _provider_mids(pic) if identifier == "94" else (),
        stc,
        routing_zip,
        _CONSTRUCTS.get((identifier, len(pic), len(routing_zip) if routing_zip else 0)),
    )


def _mid_of(identifier: str, pic: str) -> str | None:
    """The MID after the STC, if its first digit is one that the identifier announces."""
    if identifier == "92":
        return pic[5:14] if pic[5] == "9" else None
    if identifier == "93":
        return pic[5:11] if pic[5] != "9" else None
    return None


def _mid_status(identifier: str, mid: str | None, check_digit_ok: bool) -> MidStatus:
    if mid is not None:
        return MidStatus.EXACT if check_digit_ok else MidStatus.UNVERIFIED
    if identifier == "94":
        return MidStatus.CANDIDATE
    return MidStatus.ABSENT if identifier == "95" else MidStatus.INVALID


def _provider_mids(pic: str) -> tuple[str, ...]:
    """The MIDs that identifier 94 may name; two published layouts disagree.

    The older puts a two-digit source before a six-digit MID, in 22 digits only; the newer has
    the MID right after the STC.
    """
    newer = pic[5:14] if pic[5] == "9" else pic[5:11]
    older = pic[7:13]
    if len(pic) == _SHORT_PIC_DIGITS and is_mid(older) and older != newer:
        return (older, newer)
    return (newer,)


def _read_legacy_pic(pic: str, routing_zip: str | None) -> TrackingNumber:
    stc = pic[2:4]
    is_efn = stc == _LEGACY_EFN_STC
    return TrackingNumber(
        pic,
        NumberKind.ELECTRONIC_FILE_NUMBER if is_efn else NumberKind.IMPB,
        None,
        MidStatus.LEGACY_CUSTOMER_NUMBER,
        mod10_fits(pic),
        customer_mids(pic[4:13]),
        stc,
        routing_zip,
        _CONSTRUCTS.get(("91", 22, len(routing_zip or ""))),
    )


def customer_mids(customer_number: str) -> tuple[str, ...]:
    """A legacy customer number as candidate MID, if it has a MID's form."""
    return (customer_number,) if is_mid(customer_number) else ()


def _read_either(digits: str) -> TrackingNumber | None:
    """34 digits are ZIP+4 and a PIC of 22, or ZIP and a PIC of 26: take the better reading.

    Better is, in this order: the MID's first digit fits and so does the check digit; the
    former alone; the latter alone; the identifier alone. Two equally good ones: ambiguous.
    """
    split = ((digits[12:], digits[_ZIP9]), (digits[8:], digits[_ZIP5]))
    readings = [read_pic(pic, routing_zip) for pic, routing_zip in split if is_pic(pic)]
    if not readings:
        return None
    best = max(map(_likelihood, readings))
    survivors = [reading for reading in readings if _likelihood(reading) == best]
    return survivors[0] if len(survivors) == 1 else _ambiguous(digits, survivors)


def _likelihood(reading: TrackingNumber) -> tuple[bool, bool]:
    return reading.mid_status is not MidStatus.INVALID, bool(reading.check_digit_ok)


def _ambiguous(digits: str, readings: list[TrackingNumber]) -> TrackingNumber:
    """Fail closed: no MID, and the routing stays, since where it ends is not known."""
    mids = [mid for read in readings for mid in (read.mid, *read.candidate_mids) if mid]
    return TrackingNumber(
        digits,
        NumberKind.IMPB,
        None,
        MidStatus.AMBIGUOUS,
        readings[0].check_digit_ok,
        tuple(dict.fromkeys(mids)),
    )
