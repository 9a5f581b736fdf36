import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import is_mid


@pytest.mark.parametrize("text", ["000000", "000123", "899999", "900000000", "999999999"])
def test_both_ranges_are_mids(text: str) -> None:
    """The first and last of each published range are MIDs, leading zeros included."""
    assert is_mid(text)


@pytest.mark.parametrize(
    "text",
    ["", "123", "900000", "999999", "899999999", "1234567", "12345678", "9123456789", "12345a"],
)
def test_other_lengths_and_first_digits_are_not(text: str) -> None:
    """Six digits starting 9, nine starting 0-8 and every other length are no MIDs."""
    assert not is_mid(text)


@pytest.mark.parametrize("text", ["\uff11\uff12\uff13\uff14\uff15\uff16", "12345\u00b2", " 12345"])
def test_only_ascii_digits_count(text: str) -> None:
    """Digits of other scripts and blanks do not make a MID."""
    assert not is_mid(text)


@given(st.integers(0, 10**9 - 1))
def test_the_first_digit_decides_the_width(number: int) -> None:
    """Of a number's six-digit and nine-digit forms, only one with a fitting first digit is."""
    assert is_mid(f"{number % 10**6:06}") == (number % 10**6 < 900_000)
    assert is_mid(f"{number:09}") == (number >= 900_000_000)
