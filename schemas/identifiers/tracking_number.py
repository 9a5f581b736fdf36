"""What a tracking number's own characters say of the piece and its mailer.

The MID in a barcode is evidence, never a ground for access: labels carry the shipper's or a
consolidator's MID, and MIDs change hands.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# A 22-digit or 20-digit legacy number ends: customer 9, serial 8, check digit 1.
_LEGACY_CUSTOMER: Final = slice(-18, -9)


class NumberKind(StrEnum):
    """What sort of number it is."""

    IMPB = "impb"  # also the 22-digit numbers with application identifier 91
    LEGACY_20 = "legacy_20"
    S10 = "s10"
    ELECTRONIC_FILE_NUMBER = "electronic_file_number"  # a manifest, not a parcel
    GXG = "gxg"
    OTHER = "other"


class MidStatus(StrEnum):
    """How far the number names a MID."""

    EXACT = "exact"
    UNVERIFIED = "unverified"  # right shape, wrong check digit
    CANDIDATE = "candidate"  # a label provider's, and its place is disputed
    LEGACY_CUSTOMER_NUMBER = "legacy_customer_number"  # a DUNS or a MID, not told apart
    ABSENT = "absent"
    INVALID = "invalid"  # the first digit contradicts the application identifier
    AMBIGUOUS = "ambiguous"  # two readings survive


@dataclass(frozen=True, slots=True)
class TrackingNumber:
    """A number as key, id and grant comparison use it, with the facts read from it.

    Attributes:
        value: The key form: without routing ZIP, blanks and symbology marks. An ambiguous
            number keeps all its digits.
        mid: Only when `mid_status` is exact or unverified.
        candidate_mids: MIDs it may name: both readings of identifier 94, a legacy customer
            number that has a MID's form, the MIDs of the readings of an ambiguous number.
        check_digit_ok: None where no check digit is known to exist.
        stc: Service Type Code, three digits (two in legacy numbers).
        routing_zip: Five or nine digits, when the number came with them.
        construct: USPS's name of the layout (`C01` …), where it is established.
    """

    value: str
    kind: NumberKind
    mid: str | None
    mid_status: MidStatus
    check_digit_ok: bool | None
    candidate_mids: tuple[str, ...] = ()
    stc: str | None = None
    routing_zip: str | None = None
    construct: str | None = None

    @property
    def legacy_customer_number(self) -> str | None:
        """The nine-digit customer number of a legacy number, else None."""
        if self.mid_status is not MidStatus.LEGACY_CUSTOMER_NUMBER:
            return None
        return self.value[_LEGACY_CUSTOMER]
