import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import mod10_check_digit, s10_check_digit
from schemas.identifiers.check_digits import mod10_fits, s10_fits

DIGITS = st.text("0123456789", min_size=1, max_size=40)


def test_usps_worked_example() -> None:
    """The example of USPS2000508 sums to 127, so its check digit is 3."""
    assert mod10_check_digit("910112345678900000001") == "3"


def test_nothing_missing_is_zero() -> None:
    """A sum that is a multiple of ten gives 0, not 10."""
    assert mod10_check_digit("920559123456780000008") == "0"


@given(DIGITS)
def test_mod10_fits_its_own_digit_and_no_other(body: str) -> None:
    """Exactly one of the ten digits completes a body of any length."""
    fitting = [digit for digit in "0123456789" if mod10_fits(body + digit)]
    assert fitting == [mod10_check_digit(body)]


@given(DIGITS, st.data())
def test_mod10_sees_every_single_wrong_digit(body: str, data: st.DataObject) -> None:
    """Changing any one digit breaks the check."""
    number = body + mod10_check_digit(body)
    at = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != number[at]]))
    assert not mod10_fits(number[:at] + other + number[at + 1 :])


@given(st.text("0123456789", min_size=8, max_size=8))
def test_s10_fits_its_own_digit_and_no_other(serial: str) -> None:
    """Exactly one of the ten digits completes an S10 serial."""
    fitting = [digit for digit in "0123456789" if s10_fits(f"AA{serial}{digit}US")]
    assert fitting == [s10_check_digit(serial)]


@pytest.mark.parametrize(("serial", "digit"), [("10000014", "0"), ("10000002", "5")])
def test_s10_ten_is_zero_and_eleven_is_five(serial: str, digit: str) -> None:
    """The two results of S10 that are no digits are written 0 and 5."""
    assert s10_check_digit(serial) == digit
