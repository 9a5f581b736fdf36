"""The 27 vectors: 1-10 are printed in public documents, 11-27 are constructed."""

import pytest

from schemas.identifiers import (
    MidStatus,
    NumberKind,
    TrackingNumber,
    normalize_tracking_number,
)

IMPB = NumberKind.IMPB
EXACT = MidStatus.EXACT
ABSENT = MidStatus.ABSENT
CANDIDATE = MidStatus.CANDIDATE
LEGACY = MidStatus.LEGACY_CUSTOMER_NUMBER


def exact(pic: str, mid: str, stc: str, routing: str | None, construct: str) -> TrackingNumber:
    """A commercial number whose MID is beyond doubt."""
    return TrackingNumber(pic, IMPB, mid, EXACT, True, (), stc, routing, construct)


def s10(number: str, check_digit_ok: bool) -> TrackingNumber:
    """An international number."""
    return TrackingNumber(number, NumberKind.S10, None, ABSENT, check_digit_ok, construct="I01")


def legacy_20(number: str, *candidates: str) -> TrackingNumber:
    """A number that was always 20 digits, or lost its 91."""
    kind = NumberKind.LEGACY_20
    return TrackingNumber(number, kind, None, LEGACY, True, candidates, number[:2])


def by_provider(pic: str, routing: str | None, *candidates: str) -> TrackingNumber:
    """A label provider's number, service 001."""
    return TrackingNumber(pic, IMPB, None, CANDIDATE, True, candidates, "001", routing)


def retail(pic: str) -> TrackingNumber:
    """A number from a counter or kiosk, service 055."""
    return TrackingNumber(pic, IMPB, None, ABSENT, True, stc="055")


NINE_22 = "9205591234567800000011"
NINE_26 = "92055912345678000000000011"
SIX_22 = "9305512345600000000012"
SIX_26 = "93055123456000000000000012"
PROVIDER_30 = "940019123456780000000000000016"
AMBIGUOUS = "4201234593009205591234567800000011"

# Vector, what is received, what it means.
VECTORS = [
    (
        "1",
        "9101123456789000000013",
        TrackingNumber("9101123456789000000013", IMPB, None, LEGACY, True, (), "01", None, "L01"),
    ),
    (
        "2",
        "420212349374890100000003985039",
        TrackingNumber(
            "9374890100000003985039",
            IMPB,
            None,
            MidStatus.INVALID,
            True,
            (),
            "748",
            "21234",
            "C07",
        ),
    ),
    (
        "3",
        "420123459302234567890123456788",
        exact("9302234567890123456788", "345678", "022", "12345", "C07"),
    ),
    (
        "4",
        "4201002334249200190132607600833457",
        exact("9200190132607600833457", "901326076", "001", "100233424", "C01"),
    ),
    (
        "5",
        "9361289878700317633795",
        exact("9361289878700317633795", "898787", "612", None, "C08"),
    ),
    ("6", "9505511069605048600624", retail("9505511069605048600624")),
    ("7", "03071790000523483741", legacy_20("03071790000523483741")),
    ("8", "71969010756003077385", legacy_20("71969010756003077385", "969010756")),
    ("9", "RB123456785GB", s10("RB123456785GB", True)),
    ("9, wrong", "RB123456786US", s10("RB123456786US", False)),
    ("10", "EA123456785US", s10("EA123456785US", True)),
    ("10, misprinted", "EA123456795US", s10("EA123456795US", False)),
    ("11", f"420123456789{NINE_22}", exact(NINE_22, "912345678", "055", "123456789", "C01")),
    ("12", f"42012345{NINE_26}", exact(NINE_26, "912345678", "055", "12345", "C02")),
    ("13", f"42012345{NINE_22}", exact(NINE_22, "912345678", "055", "12345", "C03")),
    ("14", NINE_22, exact(NINE_22, "912345678", "055", None, "C04")),
    ("15", f"420123456789{SIX_22}", exact(SIX_22, "123456", "055", "123456789", "C05")),
    ("16", f"42012345{SIX_26}", exact(SIX_26, "123456", "055", "12345", "C06")),
    ("17", f"42012345{SIX_22}", exact(SIX_22, "123456", "055", "12345", "C07")),
    ("17, unrouted", SIX_22, exact(SIX_22, "123456", "055", None, "C08")),
    ("18", SIX_26, exact(SIX_26, "123456", "055", None, "C09")),
    ("19", NINE_26, exact(NINE_26, "912345678", "055", None, "C10")),
    (
        "20",
        AMBIGUOUS,
        TrackingNumber(AMBIGUOUS, IMPB, None, MidStatus.AMBIGUOUS, True, ("912345678", "205591")),
    ),
    (
        "21",
        "9205591234567800000080",
        exact("9205591234567800000080", "912345678", "055", None, "C04"),
    ),
    (
        "22",
        "9400111654321000000010",
        by_provider("9400111654321000000010", None, "654321", "116543"),
    ),
    ("23", PROVIDER_30, by_provider(PROVIDER_30, None, "912345678")),
    ("23, routed", f"42012345{PROVIDER_30}", by_provider(PROVIDER_30, "12345", "912345678")),
    ("24", "9505512345676001000014", retail("9505512345676001000014")),
    (
        "25",
        "9275091234567800000015",
        TrackingNumber(
            "9275091234567800000015",
            NumberKind.ELECTRONIC_FILE_NUMBER,
            "912345678",
            EXACT,
            True,
            (),
            "750",
            None,
            "C04",
        ),
    ),
    ("26, zero", "AA100000140US", s10("AA100000140US", True)),
    ("26, five", "AA100000025US", s10("AA100000025US", True)),
    (
        "27",
        "9205591234567800000012",
        TrackingNumber(
            "9205591234567800000012",
            IMPB,
            "912345678",
            MidStatus.UNVERIFIED,
            False,
            (),
            "055",
            None,
            "C04",
        ),
    ),
]


@pytest.mark.parametrize(
    ("received", "expected"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS]
)
def test_vector(received: str, expected: TrackingNumber) -> None:
    """Each published or constructed number is read as its source says."""
    assert normalize_tracking_number(received) == expected


@pytest.mark.parametrize("received", [v[1] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_blanks_and_marks_change_nothing(received: str) -> None:
    """Groups of four, a symbology identifier and FNC1 lead to the same facts."""
    expected = normalize_tracking_number(received)
    grouped = " ".join(received[at : at + 4] for at in range(0, len(received), 4))
    for marked in (grouped, f" {received}\n", f"]C1{received}", f"]C1\x1d{received}\x1d"):
        assert normalize_tracking_number(marked) == expected


def test_customer_number_of_a_legacy_number() -> None:
    """A legacy number names a nine-digit customer, which need not be a MID."""
    read = normalize_tracking_number
    assert read("9101123456789000000013").legacy_customer_number == "123456789"
    assert read("03071790000523483741").legacy_customer_number == "071790000"
    assert read("9205591234567800000011").legacy_customer_number is None
