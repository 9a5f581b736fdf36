import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import (
    MidStatus,
    NumberKind,
    is_mid,
    is_tracking_number,
    mod10_check_digit,
    normalize_tracking_number,
)


def with_check_digit(body: str) -> str:
    """A number whose check digit is right."""
    return body + mod10_check_digit(body)


def with_wrong_check_digit(body: str) -> str:
    """A number whose check digit is wrong."""
    return body + str((int(mod10_check_digit(body)) + 1) % 10)


COMMERCIAL_9 = "92055" + "912345678" + "0000001"
COMMERCIAL_6 = "93055" + "123456" + "0000000001"


@pytest.mark.parametrize("routing", ["", "42012345", "420123456789"])
@pytest.mark.parametrize(
    ("body", "mid", "status"),
    [
        (COMMERCIAL_9, "912345678", MidStatus.EXACT),
        (COMMERCIAL_6, "123456", MidStatus.EXACT),
        ("92055" + "812345678" + "0000001", None, MidStatus.INVALID),
        ("93055" + "912345" + "0000000001", None, MidStatus.INVALID),
        ("94001" + "1165432100000001", None, MidStatus.CANDIDATE),
        ("95055" + "1234567600100001", None, MidStatus.ABSENT),
        ("9101" + "123456789" + "00000001", None, MidStatus.LEGACY_CUSTOMER_NUMBER),
    ],
)
def test_mid_by_identifier(routing: str, body: str, mid: str | None, status: MidStatus) -> None:
    """The application identifier decides whether and how far a barcode names a MID."""
    number = normalize_tracking_number(routing + with_check_digit(body))
    assert (number.mid, number.mid_status, number.check_digit_ok) == (mid, status, True)
    assert number.routing_zip == (routing[3:] or None)
    assert number.value == with_check_digit(body)


@pytest.mark.parametrize("routing", ["", "42012345", "420123456789"])
@pytest.mark.parametrize(("body", "mid"), [(COMMERCIAL_9, "912345678"), (COMMERCIAL_6, "123456")])
def test_wrong_check_digit_is_unverified(routing: str, body: str, mid: str) -> None:
    """A wrong check digit leaves the MID, unverified, and the routing is stripped all the same."""
    number = normalize_tracking_number(routing + with_wrong_check_digit(body))
    assert (number.mid, number.mid_status) == (mid, MidStatus.UNVERIFIED)
    assert number.check_digit_ok is False
    assert number.value == with_wrong_check_digit(body)


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        ("82" + "1234567" + "0", NumberKind.GXG),
        ("83" + "1234567" + "0", NumberKind.GXG),
        ("84" + "1234567" + "0", NumberKind.OTHER),
        ("1Z999AA10123456784", NumberKind.OTHER),
        ("961" + "0" * 19, NumberKind.OTHER),
        ("42012345" + "96" + "0" * 20, NumberKind.OTHER),
    ],
)
def test_what_names_no_mid(received: str, kind: NumberKind) -> None:
    """GXG, other carriers' numbers and FedEx's identifier 96 have no MID and stay as they are."""
    number = normalize_tracking_number(received)
    assert (number.kind, number.mid_status, number.mid) == (kind, MidStatus.ABSENT, None)
    assert (number.value, number.check_digit_ok) == (received, None)


@pytest.mark.parametrize("body", [COMMERCIAL_9, COMMERCIAL_9 + "0000"])
def test_eleven_digit_zip_is_no_routing(body: str) -> None:
    """420 with a delivery-point ZIP occurs in no construct: nothing is stripped."""
    received = "42012345678901" + with_check_digit(body)
    number = normalize_tracking_number(received)
    assert (number.value, number.kind) == (received, NumberKind.OTHER)


@pytest.mark.parametrize("identifier", ["92", "93", "94", "95"])
def test_thirty_digit_pic_with_and_without_zip(identifier: str) -> None:
    """A PIC of 30 digits is read as it is, and as 38 digits after 420 and a ZIP."""
    first_of_mid = "1" if identifier == "93" else "9"
    pic = with_check_digit(f"{identifier}001{first_of_mid}{'1' * 23}")
    plain, routed = normalize_tracking_number(pic), normalize_tracking_number("42012345" + pic)
    assert plain.value == routed.value == pic
    assert (plain.routing_zip, routed.routing_zip) == (None, "12345")


def test_legacy_manifest_number() -> None:
    """Identifier 91 with service 50 is the number of a manifest, not of a parcel."""
    number = normalize_tracking_number(with_check_digit("9150" + "123456789" + "00000001"))
    assert number.kind is NumberKind.ELECTRONIC_FILE_NUMBER


@pytest.mark.parametrize("prefix", ["", "91"])
def test_twenty_digits_pass_by_either_check(prefix: str) -> None:
    """A 20-digit number is right alone or with the lost 91 put back, and keeps its digits."""
    body = "0301234567800000001"
    number = normalize_tracking_number(body + mod10_check_digit(prefix + body))
    assert (number.kind, number.check_digit_ok) == (NumberKind.LEGACY_20, True)
    assert number.value.startswith(body)


def test_twenty_digits_that_pass_neither_check() -> None:
    """A 20-digit number that fits neither check is flagged."""
    body = "0301234567800000001"
    right = {mod10_check_digit(body), mod10_check_digit("91" + body)}
    wrong = next(digit for digit in "0123456789" if digit not in right)
    assert normalize_tracking_number(body + wrong).check_digit_ok is False


@pytest.mark.parametrize("received", ["rb123456785gb", "Rb 123 456 785 gB", "]C1RB123456785GB"])
def test_s10_is_upper_cased(received: str) -> None:
    """An S10 number has one spelling as key."""
    number = normalize_tracking_number(received)
    assert (number.value, number.kind) == ("RB123456785GB", NumberKind.S10)


@pytest.mark.parametrize(
    "received",
    [
        "(420)12345(92)05591234567800000011",
        "(420) 12345 (92) 055 912345678 0000001 1",
        "42012345(92)05591234567800000011",
        "]C1(420)12345\x1d(92)05591234567800000011",
    ],
)
def test_parentheses_round_identifiers(received: str) -> None:
    """Parentheses round 420 and the application identifier are print, not number."""
    number = normalize_tracking_number(received)
    assert (number.value, number.routing_zip) == ("9205591234567800000011", "12345")


@pytest.mark.parametrize("received", ["(555)1234567", "A(92)1", "()", "]C1", "ab-12/3", "(9205)59"])
def test_what_is_no_barcode_is_kept(received: str) -> None:
    """Marks that belong to no barcode stay."""
    number = normalize_tracking_number(received)
    assert (number.value, number.kind) == (received, NumberKind.OTHER)


class TestThirtyFourDigits:
    """ZIP+4 before 22 digits, or ZIP before 26: both are tried."""

    def test_ambiguous_without_any_right_check_digit(self) -> None:
        """Two readings of fitting shape and no check digit to settle it: no MID."""
        received = "4201234593009205591234567800000012"
        number = normalize_tracking_number(received)
        assert (number.value, number.mid) == (received, None)
        assert number.mid_status is MidStatus.AMBIGUOUS
        assert number.check_digit_ok is False

    def test_one_right_check_digit_settles_it(self) -> None:
        """Of two readings of fitting shape, the one with the right check digit is taken."""
        zip9_body = COMMERCIAL_9[:-1]
        for last in "0123456789":
            pic = with_check_digit(zip9_body + last)
            number = normalize_tracking_number("420123459310" + pic)
            if number.mid_status is MidStatus.EXACT:
                assert (number.value, number.routing_zip) == (pic, "123459310")
                return
        pytest.fail("every last digit was ambiguous")

    def test_add_on_starting_94_can_be_ambiguous_too(self) -> None:
        """A label provider's reading competes like any other."""
        pic = with_check_digit(COMMERCIAL_9)
        statuses = {
            normalize_tracking_number(f"42012345940{digit}{pic}").mid_status for digit in range(10)
        }
        assert statuses == {MidStatus.EXACT, MidStatus.AMBIGUOUS}

    def test_no_fitting_mid_is_invalid(self) -> None:
        """A known identifier whose MID slot contradicts it is stripped and invalid."""
        pic = with_check_digit("93055" + "912345" + "0000000001")
        number = normalize_tracking_number("420123456789" + pic)
        assert (number.value, number.mid, number.mid_status) == (pic, None, MidStatus.INVALID)

    def test_no_known_identifier_is_another_carriers(self) -> None:
        """Without a known identifier in either place the digits stay as they are."""
        received = "420123456789" + "1" * 22
        number = normalize_tracking_number(received)
        assert (number.value, number.kind) == (received, NumberKind.OTHER)

    @given(st.text("0123456789", min_size=9, max_size=9), st.text("0123456789", max_size=11))
    def test_zip5_with_long_nine_digit_mid_is_never_ambiguous(self, zip9: str, tail: str) -> None:
        """C02 is never taken for C01: the other reading has no MID that could be one."""
        pic = with_check_digit(f"92{zip9[:3]}9{zip9[1:]}{tail:0<11}")
        number = normalize_tracking_number("420" + zip9[:5] + pic)
        assert (number.value, number.mid_status) == (pic, MidStatus.EXACT)


BARCODE_LIKE = st.from_regex(
    r"\A(\]C1)?((\(420\)|420)[0-9]{5}([0-9]{4})?)?(\(9[0-9]\)|9[1-6])[0-9 ]{16,30}\Z"
)
DIGITS = st.text("0123456789", max_size=40)
S10_LIKE = st.from_regex(r"\A[A-Za-z]{2}[0-9]{9}[A-Za-z]{2}\Z")
MARKS = st.text("]C1()420 92\x1d\t\u00a0", max_size=20)
ANYTHING = st.one_of(st.text(), BARCODE_LIKE, DIGITS, S10_LIKE, MARKS)


@given(ANYTHING)
def test_every_text_has_an_answer(received: str) -> None:
    """No text raises, and the facts agree with one another."""
    number = normalize_tracking_number(received)
    assert (number.mid is not None) == (
        number.mid_status in {MidStatus.EXACT, MidStatus.UNVERIFIED}
    )
    assert number.mid is None or is_mid(number.mid)
    assert all(map(is_mid, number.candidate_mids))
    assert number.mid_status is not MidStatus.EXACT or number.check_digit_ok
    assert (number.value == "") == (received.split() == [])


@given(ANYTHING)
def test_normalizing_twice_changes_nothing(received: str) -> None:
    """The key form of a key form is itself, ambiguous numbers included."""
    once = normalize_tracking_number(received)
    twice = normalize_tracking_number(once.value)
    assert twice.value == once.value
    assert (twice.kind, twice.mid, twice.mid_status) == (once.kind, once.mid, once.mid_status)


@given(ANYTHING)
def test_blanks_never_matter(received: str) -> None:
    """Blanks and FNC1 between the characters lead to the same facts."""
    spread = " \x1d".join(received)
    assert normalize_tracking_number(spread) == normalize_tracking_number(received)


def test_long_hostile_text_is_read_in_time() -> None:
    """A megabyte of digits with a letter at the end costs one pass, not its square."""
    received = "9" * 1_000_000 + "x"
    assert normalize_tracking_number(received).value == received


@pytest.mark.parametrize(
    "received", ["1", "x" * 64, "9205 5912", "\u00e9\u4e2d", "]C1", "]C1\x1d92"]
)
def test_one_to_sixty_four_printable_characters_flow(received: str) -> None:
    """Whatever can be printed may be a tracking number, barcode or not."""
    assert is_tracking_number(received)


@pytest.mark.parametrize(
    "received", ["", " ", "\x1d", "\u00a0", "x" * 65, "a\x00b", "a\x1bb", "\u200b", "\ud800"]
)
def test_blank_long_or_unprintable_does_not_flow(received: str) -> None:
    """Nothing, blanks alone, more than 64 characters and control characters are refused."""
    assert not is_tracking_number(received)


@given(ANYTHING)
def test_what_flows_has_a_key_that_kafka_takes(received: str) -> None:
    """The key form of what flows is 1 to 64 printable characters, writable in UTF-8."""
    if is_tracking_number(received):
        value = normalize_tracking_number(received).value
        assert 1 <= len(value) <= 64
        assert value.isprintable()
        assert value.encode()
        assert is_tracking_number(value)
