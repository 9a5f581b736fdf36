"""What a payload says of the piece itself, in snake_case and otherwise as USPS says it.

What is, or may hold, an address or a person's name stays in the original: `deliveryAddress`,
`destinationZIPCodePlus4` and `postalCode` of the detailed scan, and the sentences of
`statusSummary` and v3's `eventSummaries`, which only repeat events and may say who signed.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.usps.names import open_name
from schemas.usps.values import MAX_LISTED_VALUES, is_open, passing_fields, zip_of

MAX_FACTS: Final = 100
MAX_OTHERS: Final = 30

# Texts whatever their length; the record has each of them, null if absent.
_TEXTS: Final = {
    "mailClass": "mail_class",
    "mailClassCode": "mail_class_code",
    "mailType": "mail_type",
    "serviceTypeCode": "service_type_code",
    "mailingDate": "mailing_date",
    "uniqueTrackingID": "unique_tracking_id",
    "originZIPCode": "origin_zip_code",
    "destinationZIPCode": "destination_zip_code",
    "status": "status",
    "statusCategory": "status_category",
}
_ABSENT: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_TEXTS.values()),
    "services": None,
    "delivery_date_expectation": None,
}
# Harmless, though some of their names smell of a person or an address: they are codes,
# business names and the shipper's own references.
_FACTS: Final = {
    **_TEXTS,
    "associatedTrackingNumber": "associated_tracking_number",
    "originalTrackingNumber": "original_tracking_number",
    "originCity": "origin_city",
    "originState": "origin_state",
    "originCountry": "origin_country",
    "destinationCity": "destination_city",
    "destinationState": "destination_state",
    "destinationCountry": "destination_country",
    "kahalaIndicator": "kahala_indicator",
    "mailerID": "mailer_id",
    "mailerName": "mailer_name",
    "mailOwnerMailerID": "mail_owner_mailer_id",
    "logisticsManagerMailerID": "logistics_manager_mailer_id",
    "customerReferenceNumber": "customer_reference_number",
    "electronicFileNumber": "electronic_file_number",
    "addressStandardizedCode": "address_standardized_code",
    "addressServiceParticipantCode": "address_service_participant_code",
    "ancillaryServiceEndorsement": "ancillary_service_endorsement",
    "impbComplianceReportCode": "impb_compliance_report_code",
    "productWeight": "product_weight",
    "startTheClockTimestamp": "start_the_clock_timestamp",
}
_EXPECTATION: Final = {
    "expectedDeliveryDate": "expected_delivery_date",
    "predictedDeliveryDate": "predicted_delivery_date",
    "predictedDeliverySource": "predicted_delivery_source",
    "predictedDeliveryWindowStartTime": "predicted_delivery_window_start_time",
    "predictedDeliveryWindowEndTime": "predicted_delivery_window_end_time",
    "guaranteedDeliveryDate": "guaranteed_delivery_date",
    "guaranteedDetails": "guaranteed_details",
    "endOfDay": "end_of_day",
    "deliveryDateModifiedIndicator": "delivery_date_modified_indicator",
}
_ELIGIBILITY: Final = {
    "deliveryInstructionsEnabled": "delivery_instructions_enabled",
    "proofOfDeliveryEnabled": "proof_of_delivery_enabled",
    "RREEnabled": "rre_enabled",
    "trackingProofOfDeliveryEnabled": "tracking_proof_of_delivery_enabled",
}
# Read elsewhere, or too near to a person's address.
_NO_FACTS: Final = frozenset(
    {
        "trackingNumber",
        "trackingEvents",
        "trackingEvent",
        "links",
        "deliveryAddress",
        "destinationZIPCodePlus4",
        "postalCode",
        "statusSummary",
        "eventSummaries",
    }
)


def package_facts(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The facts, as `PackageFacts` takes them; defined for every JSON object."""
    facts = dict(_ABSENT)
    others: list[str] = []
    for name, value in payload.items():
        target = _FACTS.get(name)
        if target is None:
            others.append(name)
        elif type(value) is str or (target not in _ABSENT and is_open(value)):
            facts[target] = value
    for name in others:
        if name not in _NO_FACTS:
            _add_other(facts, name, payload[name])
    _cut_destination(facts)
    return facts


def _add_other(facts: dict[str, Any], name: str, value: object) -> None:
    if name == "services":
        facts["services"] = _services(value)
    elif name == "deliveryDateExpectation":
        if type(value) is dict:
            facts["delivery_date_expectation"] = passing_fields(value, _EXPECTATION, MAX_OTHERS)
    elif name == "servicesEligibility":
        if type(value) is dict:
            facts["services_eligibility"] = passing_fields(value, _ELIGIBILITY, MAX_OTHERS)
    elif len(facts) < MAX_FACTS and is_open(value):
        translated = open_name(name)
        if translated is not None:
            facts.setdefault(translated, value)


def _services(value: object) -> list[str] | None:
    """A list of texts; v3 sends one text instead."""
    listed: list[Any] = value if type(value) is list else [value]
    for service in listed:
        if type(service) is not str:
            return None
    return listed[:MAX_LISTED_VALUES]


def _cut_destination(facts: dict[str, Any]) -> None:
    """A ZIP+4 or a postal code abroad is nearly an address: five digits are kept, or nothing."""
    stated = facts["destination_zip_code"]
    if stated is not None:
        facts["destination_zip_code"] = zip_of(stated)
