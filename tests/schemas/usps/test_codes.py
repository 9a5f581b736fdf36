import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import EventCategory
from schemas.usps.codes import UNKNOWN_CODE, Sureness, event_codes, facts_of

CODES_BY_CATEGORY = {
    EventCategory.PRE_SHIPMENT: "GX MA NP 80 81 82 83 89",
    EventCategory.ACCEPTED: "03 OA UA AD TM PA 43",
    EventCategory.IN_TRANSIT: "10 A1 U1 T1 L1 TL EF SF NT 08",
    EventCategory.ARRIVED: "07 PC 19 41",
    EventCategory.OUT_FOR_DELIVERY: "OF",
    EventCategory.ATTEMPTED: "02 30 51 52 53 54 55 56",
    EventCategory.AVAILABLE_FOR_PICKUP: "14 16",
    EventCategory.DELIVERED: "01",
    EventCategory.DELIVERED_TO_AGENT: "17 42 MR",
    EventCategory.FORWARDED: "06",
    EventCategory.RETURN: "09 21 22 23 24 25 26 27 28 29 31",
    EventCategory.EXCEPTION: "04 05 11 15 44 71 DX",
    EventCategory.INFORMATIONAL: "GC",
    EventCategory.UNKNOWN: "59 AE DN GA GS H0 RC VR",
}


def test_every_code_has_its_category() -> None:
    """The table holds these codes, under these categories, and no others."""
    expected = {
        code: category for category, codes in CODES_BY_CATEGORY.items() for code in codes.split()
    }
    assert {code: facts.category for code, facts in event_codes().items()} == expected


def test_only_delivery_and_dead_letter_are_terminal() -> None:
    """A return, a refusal or an agent's pickup is not yet the end."""
    assert {code for code, facts in event_codes().items() if facts.terminal} == {"01", "11"}


def test_what_no_hand_touched_is_not_physical() -> None:
    """Labels, manifests, partner and computed events and unknown codes are not physical."""
    not_physical = {code for code, facts in event_codes().items() if not facts.physical}
    categories = EventCategory.PRE_SHIPMENT, EventCategory.INFORMATIONAL, EventCategory.UNKNOWN
    expected = {code for category in categories for code in CODES_BY_CATEGORY[category].split()}
    assert not_physical == expected | {"NT", "DX"}


def test_a_label_or_an_acceptance_opens_a_piece() -> None:
    """Only GX, MA and the acceptances can begin a new piece under an old number."""
    opening = {code for code, facts in event_codes().items() if facts.opens_piece}
    assert opening == {"GX", "MA", "03", "OA", "UA", "AD", "TM", "PA", "43"}


def test_a_name_stands_where_a_meaning_is_established() -> None:
    """Codes without an established meaning have no name, and are the unknown ones."""
    for facts in event_codes().values():
        assert (facts.name == "") == (facts.category is EventCategory.UNKNOWN)
        assert facts.name or facts.sureness is Sureness.LOW


@pytest.mark.parametrize("event_code", ["", "ZZ", "1", "of", "001", " 01", "\u0660\u0661"])
def test_unlisted_codes_are_unknown(event_code: str) -> None:
    """A code that is not in the table, to the letter, is unknown and not physical."""
    assert facts_of(event_code) is UNKNOWN_CODE


@given(st.text())
def test_any_code_has_facts(event_code: str) -> None:
    """No code raises."""
    assert facts_of(event_code).category in EventCategory
