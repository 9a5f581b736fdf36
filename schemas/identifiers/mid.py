"""Mailer IDs (MIDs): six or nine digits, told apart by the first one.

Source: the MID ranges of the AFP Consortium's BCOCA reference (2023) and of USPS
Publication 199, met second hand: 000000-899999 and 900000000-999999999.
"""

from typing import Final

SHORT_MID_DIGITS: Final = 6
LONG_MID_DIGITS: Final = 9


def is_mid(text: str) -> bool:
    """Whether `text` has the form of a MID. Leading zeros count: `000123` is not `123`."""
    if not (text.isascii() and text.isdigit()):
        return False
    expected = LONG_MID_DIGITS if text[0] == "9" else SHORT_MID_DIGITS
    return len(text) == expected
