import pytest

from schemas.usps.names import MAX_NAME_CHARACTERS, is_personal, open_name, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RREEnabled", "rre_enabled"),
        ("destinationZIPCode", "destination_zip_code"),
        ("CODAmountDue", "cod_amount_due"),
        ("eSOL", "e_sol"),
        ("GMTOffset", "gmt_offset"),
        ("mailerID", "mailer_id"),
        ("uniqueTrackingID", "unique_tracking_id"),
        ("KahalaIndicator", "kahala_indicator"),
        ("mailOwnerMailerID", "mail_owner_mailer_id"),
        ("destinationZIPCodePlus4", "destination_zip_code_plus4"),
        ("already_snake_case", "already_snake_case"),
        ("kebab-case name", "kebab_case_name"),
        ("__dict__", "dict"),
        ("\u2603", ""),
        ("", ""),
    ],
)
def test_names_become_snake_case(name: str, expected: str) -> None:
    """Words and acronyms are split, everything but letters and digits separates."""
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("recipientName", "RECIPIENT_NAME", "recipient name", "firm", "firmName", "name"),
        *("deliveryAddress", "addressLine1", "streetLine", "signature", "signedBy", "signatureURL"),
        *("authorizedAgent", "neighborUnit", "phoneNumber", "emailAddress", "contactPerson"),
        *(
            "customerNote",
            "scanLatitude",
            "longitude",
            "geoLocation",
            "lat",
            "lng",
            "deliveryPhoto",
        ),
        *("deliveredTo", "leftWith", "receivedBy", "re-cipient", "postalCode", "zipPlus4"),
    ],
)
def test_personal_names_do_not_pass(name: str) -> None:
    """A field that may hold a person, an address or a signature stays in the original."""
    assert is_personal(name)
    assert open_name(name) is None


@pytest.mark.parametrize("name", ["routeNumber", "attributeCode", "flatCount", "partnerCode"])
def test_other_names_pass(name: str) -> None:
    """What USPS adds tomorrow flows, under our kind of name."""
    assert open_name(name) == snake_case(name)


@pytest.mark.parametrize(
    "name",
    ["", "_", "x" * (MAX_NAME_CHARACTERS + 1), "aB" * (MAX_NAME_CHARACTERS // 2), "f\u0456rm"],
)
def test_odd_names_do_not_pass(name: str) -> None:
    """Empty and long ones, and letters that only look like ours, are no names for a record."""
    assert open_name(name) is None
