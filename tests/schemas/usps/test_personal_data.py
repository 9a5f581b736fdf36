from collections.abc import Iterator

import pytest

from tests.schemas.usps.feed import (
    assert_is_an_update,
    from_example,
    normalized,
    payload_of,
    scan,
)

PERSONAL = ("Ottoline", "Vane", "Quillfeather", "QUILLFEATHER", "0142", "Z9Z8Y8")


def texts_in(value: object) -> Iterator[str]:
    """Every text of a JSON value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


@pytest.mark.parametrize(
    "name", ["tracking", "tracking_as_published", "detailed_scan", "detailed_scan_as_published"]
)
def test_examples_are_read_and_nobody_is_named(name: str) -> None:
    """Recipient, firm and address of the published shapes stay in the original alone."""
    found = from_example(name)
    record = dict(found.record)
    original = record.pop("original")
    assert "Ottoline Vane" in original
    for text in texts_in(record):
        assert not any(secret in text for secret in PERSONAL), text
    assert_is_an_update(found)


@pytest.mark.parametrize(
    "fields",
    [
        {"deliveryAddress": "Quillfeather"},
        {"recipient": {"line1": "Quillfeather"}},
        {"statusSummary": "Signed for by OTTOLINE Vane"},
        {"eventSummaries": ["Delivered to Vane"]},
        {"servicesEligibility": {"recipientPhone": "0142", "RREEnabled": True}},
        {"deliveryDateExpectation": {"instructions": {"leaveWith": "Vane"}}},
        {"trackingEvents": [scan(name="Vane", authorizedAgent="Vane", signatureImage="Vane")]},
        {"trackingEvents": [scan(recipientName="Vane", firm="Quillfeather", neighbor="Vane")]},
        {"trackingEvents": [scan(containers=[{"containerID": "1", "ownerName": "Vane"}])]},
    ],
)
def test_persons_and_addresses_stay_in_the_original(fields: dict[str, object]) -> None:
    """Wherever a field's name tells that it is personal."""
    record = normalized(payload_of(**fields)).record
    for text in texts_in(record):
        assert not any(secret in text for secret in PERSONAL), text
