import pytest

from tests.schemas.usps.feed import (
    assert_is_an_update,
    from_example,
    normalized,
    payload_of,
    scan,
)


def test_facts_are_bounded() -> None:
    """A piece has at most 100 facts, however many fields were sent."""
    many = {f"field{number}": number for number in range(10_000)}
    package = normalized(payload_of(**many)).record["package"]
    assert len(package) <= 100
    assert package["status"] == "Out for Delivery"


def test_package_facts_are_as_usps_says() -> None:
    """In snake_case, verbatim, nested ones too; absent ones are null."""
    package = from_example("detailed_scan").record["package"]
    assert package["mail_class"] == "Priority Mail<SUP>&reg;</SUP>"
    assert package["services"] == ["USPS Tracking<SUP>&#174;</SUP>"]
    assert package["delivery_date_expectation"]["expected_delivery_date"] == "2026-05-14"
    assert package["services_eligibility"]["rre_enabled"] is True
    assert (package["origin_city"], package["kahala_indicator"]) == ("ELMHOLLOW", True)
    assert (package["mailer_id"], package["mailer_name"]) == ("912345678", "Northlight Goods")
    assert package["customer_reference_number"] == ["ORD-20417"]
    bare = normalized({"trackingNumber": "1"}).record["package"]
    assert set(bare.values()) == {None}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"mailClass": 7, "status": ["x"], "mailingDate": {}}, {"mail_class": None}),
        ({"services": "USPS Tracking"}, {"services": ["USPS Tracking"]}),
        ({"services": ["a", 1]}, {"services": None}),
        ({"services": {"a": "b"}}, {"services": None}),
        ({"deliveryDateExpectation": "soon"}, {"delivery_date_expectation": None}),
        ({"destinationZIPCode": "98099-0142"}, {"destination_zip_code": "98099"}),
        ({"destinationZIPCode": "Z9Z 8Y8"}, {"destination_zip_code": None}),
        ({"newField": "x"}, {"new_field": "x"}),
    ],
)
def test_facts_of_odd_types_are_absent(
    stated: dict[str, object], expected: dict[str, object]
) -> None:
    """What a reader would stumble over is left to the original."""
    found = normalized(payload_of(scan(), **stated))
    assert found.record["package"].items() >= expected.items()
    assert_is_an_update(found)
