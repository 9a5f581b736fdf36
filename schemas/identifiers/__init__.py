"""Numbers on mail: Mailer IDs and tracking numbers."""

from schemas.identifiers.check_digits import mod10_check_digit, s10_check_digit
from schemas.identifiers.mid import is_mid
from schemas.identifiers.normalize import is_tracking_number, normalize_tracking_number
from schemas.identifiers.tracking_number import MidStatus, NumberKind, TrackingNumber

__all__ = [
    "MidStatus",
    "NumberKind",
    "TrackingNumber",
    "is_mid",
    "is_tracking_number",
    "mod10_check_digit",
    "normalize_tracking_number",
    "s10_check_digit",
]
