"""Tracking numbers as mailers make them: the subscription's MID inside, the check digit right.

Constructs C04, C08, C09 and C10 of USPS Publication 199 (application identifiers 92 and 93).
"""

from random import Random
from typing import Final

from schemas.identifiers import mod10_check_digit
from schemas.identifiers.mid import LONG_MID_DIGITS

_SHORT_BODY_DIGITS: Final = 21
_LONG_BODY_DIGITS: Final = 25
_LONG_SHARE: Final = 0.1
# Odd and not a multiple of five, so stepping through all serials repeats none of them.
_STEP: Final = 7_368_787


class NumberMaker:
    """Numbers that do not repeat: the serials of a MID are walked through in large steps."""

    def __init__(self, choose: Random) -> None:
        self._choose = choose
        self._next_serial: dict[tuple[str, str, int], int] = {}

    def make(self, mid: str, stc: str) -> str:
        """A number of 22 or 26 digits for a well-formed MID and a three-digit STC."""
        body_digits = (
            _LONG_BODY_DIGITS if self._choose.random() < _LONG_SHARE else _SHORT_BODY_DIGITS
        )
        identifier = "92" if len(mid) == LONG_MID_DIGITS else "93"
        head = f"{identifier}{stc}{mid}"
        digits = body_digits - len(head)
        body = f"{head}{self._serial(mid, stc, digits):0{digits}d}"
        return body + mod10_check_digit(body)

    def _serial(self, mid: str, stc: str, digits: int) -> int:
        key = (mid, stc, digits)
        bound = 10**digits
        serial = self._next_serial.get(key)
        if serial is None:
            serial = self._choose.randrange(bound)
        self._next_serial[key] = (serial + _STEP) % bound
        return serial
