"""The two check digits of USPS numbers: mod 10 of package barcodes, mod 11 of S10.

Sources: USPS2000508 (its worked example is a test) and the UPU standard S10.
"""

from operator import mul
from typing import Final

_ASCII_ZERO: Final = 48
_S10_WEIGHTS: Final = (8, 6, 4, 2, 3, 5, 9, 7)
# 11 - remainder may be 10 or 11, which are no digits: the standard writes 0 and 5.
_S10_BY_REMAINDER: Final = ("5", "0", "9", "8", "7", "6", "5", "4", "3", "2", "1")


def mod10_check_digit(body: str) -> str:
    """The digit that follows `body` (ASCII digits, without its check digit)."""
    return str(-_mod10_sum(f"{body}0") % 10)


def mod10_fits(number: str) -> bool:
    """Whether the last digit of `number` (ASCII digits) is right for the others."""
    return _mod10_sum(number) % 10 == 0


def _mod10_sum(number: str) -> int:
    """The sum, check digit included, where every second digit from the right counts three times.

    A right check digit makes it a multiple of ten.
    """
    codes = number.encode("ascii")
    single, tripled = codes[::-2], codes[-2::-2]
    # The codes are the digits plus 48, so what those add is taken off: this is a hot path.
    return sum(single) + 3 * sum(tripled) - _ASCII_ZERO * (len(single) + 3 * len(tripled))


def s10_check_digit(serial: str) -> str:
    """The digit that follows the eight serial digits of an S10 number."""
    return _S10_BY_REMAINDER[sum(map(mul, _S10_WEIGHTS, map(int, serial))) % 11]


def s10_fits(number: str) -> bool:
    """Whether the check digit of a 13-character S10 number is right."""
    return s10_check_digit(number[2:10]) == number[10]
