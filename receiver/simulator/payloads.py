"""The payload of a callback: what USPS would say of one piece when one more scan is known.

Ordinary layout ("Tracking Subscription Event") and detailed layout ("Detailed Scan
Subscription Event") of USPS's document "Subscriptions - Tracking" 3.2.2.
"""

from datetime import timedelta
from typing import Any, Final

import orjson

from receiver.simulator.scans import Journey, Leg, Scan, Stated
from schemas.event import EventCategory
from schemas.usps.codes import facts_of

# USPS's words; what is not here is in transit for it.
_STATUS_CATEGORIES: Final = {
    EventCategory.PRE_SHIPMENT: "Pre-Shipment",
    EventCategory.ACCEPTED: "Accepted",
    EventCategory.OUT_FOR_DELIVERY: "Out for Delivery",
    EventCategory.ATTEMPTED: "Delivery Attempt",
    EventCategory.AVAILABLE_FOR_PICKUP: "Available for Pickup",
    EventCategory.DELIVERED: "Delivered",
    EventCategory.DELIVERED_TO_AGENT: "Delivered to Agent",
    EventCategory.RETURN: "Return to Sender",
    EventCategory.EXCEPTION: "Alert",
}
_RECEIVING_HOUSE: Final = "%d SAMPLE ST"


class LegText:
    """Payloads of one leg; what does not change from callback to callback is written once."""

    def __init__(self, journey: Journey, leg: Leg) -> None:
        self._leg = leg
        self._facts = _package_facts(journey, leg)
        self._as_list = int(leg.unique_id) % 4 == 0
        self._details = _detailed_facts(journey, leg)
        self._fields = [_event(scan) for scan in leg.scans]
        self._events = [orjson.Fragment(orjson.dumps(fields)) for fields in self._fields]

    def ordinary(self, known: int) -> str:
        """With the first `known` scans that became known, newest first."""
        newest_first = sorted(range(known), key=lambda i: self._leg.scans[i].at, reverse=True)
        return _text(
            self._facts
            | _status(self._leg.scans[newest_first[0]])
            | {"trackingEvents": [self._events[index] for index in newest_first]}
        )

    def detailed(self, known: int) -> str:
        """Only the scan that became known last, with the MID and the manifest."""
        scan = self._leg.scans[known - 1]
        event = self._fields[known - 1] | {
            "scanEventExtractEventName": scan.text.upper()[:40],
            "barcodeInputMethod": "0",
            "eSOL": False,
        }
        if scan.place is not None and scan.place.is_plant:
            event["containers"] = [
                {"containerID": f"99P{self._leg.unique_id}", "containerType": "PL"}
            ]
        # USPS's schema names one object, its own example shows a list of one.
        told = {"trackingEvents": [event]} if self._as_list else {"trackingEvent": event}
        return _text(self._facts | _status(scan) | self._details | told)


def _text(payload: dict[str, Any]) -> str:
    return orjson.dumps(payload).decode()


def _package_facts(journey: Journey, leg: Leg) -> dict[str, Any]:
    mail_class, origin, destination = leg.mail_class, leg.origin, leg.destination
    expected = leg.scans[0].local.date() + timedelta(days=2 + mail_class.transit_hours[1] // 24)
    return {
        "trackingNumber": journey.sent_as,
        "uniqueTrackingID": leg.unique_id,
        "mailingDate": leg.mailed_on,
        "mailClass": mail_class.name,
        "mailClassCode": mail_class.code,
        "mailType": "DM",
        "serviceTypeCode": mail_class.stc,
        "services": list(mail_class.services),
        "kahalaIndicator": False,
        "originCity": origin.city,
        "originState": origin.state,
        "originZIPCode": origin.zip,
        "originCountry": "US",
        "destinationCity": destination.city,
        "destinationState": destination.state,
        "destinationZIPCode": destination.zip,
        "destinationCountry": "US",
        "deliveryDateExpectation": {
            "expectedDeliveryDate": expected.isoformat(),
            "predictedDeliveryDate": expected.isoformat(),
            "predictedDeliveryWindowStartTime": "1:15pm",
            "predictedDeliveryWindowEndTime": "3:15pm",
            "endOfDay": "by 9:00 pm",
        },
        "servicesEligibility": {
            "proofOfDeliveryEnabled": False,
            "RREEnabled": False,
            "trackingProofOfDeliveryEnabled": False,
        },
    }


def _detailed_facts(journey: Journey, leg: Leg) -> dict[str, Any]:
    house = _RECEIVING_HOUSE % (int(leg.unique_id) % 900 + 1)
    return {
        "mailerID": journey.shipper.mid,
        "mailerName": "SAMPLE MAILER",
        "mailOwnerMailerID": journey.shipper.mid,
        "electronicFileNumber": f"92750{leg.unique_id:0>17}",
        "startTheClockTimestamp": leg.scans[0].local.isoformat(),
        "customerReferenceNumber": [f"ORD-{leg.unique_id[-6:]}"],
        "deliveryAddress": house,
        "destinationZIPCodePlus4": leg.unique_id[:4],
        "productWeight": f"{int(leg.unique_id) % 400 / 10:.1f}",
        "impbComplianceReportCode": "20",
    }


def _status(scan: Scan) -> dict[str, str]:
    where = f" in {scan.place.city}, {scan.place.state} {scan.place.zip}" if scan.place else ""
    when = f"{scan.local:%B %d, %Y}"
    return {
        "status": scan.text,
        "statusCategory": _STATUS_CATEGORIES.get(facts_of(scan.code).category, "In Transit"),
        "statusSummary": f"Simulated: {scan.text}{where}, {when}.",
    }


def _event(scan: Scan) -> dict[str, Any]:
    event: dict[str, Any] = {"eventCode": scan.code, "eventType": scan.text}
    event |= _stated_time(scan)
    if scan.place is not None:
        event |= {
            "eventCity": scan.place.city,
            "eventState": scan.place.state,
            "eventZIPCode": scan.place.zip,
            "eventCountry": "US",
        }
    return {**event, **scan.details}


def _stated_time(scan: Scan) -> dict[str, str]:
    """Local times to the minute; the seconds stand in the GMT field only, as recorded answers."""
    if scan.stated is Stated.NOT:
        return {}
    local = scan.local
    if scan.stated is Stated.DAY:
        return {"eventTimestamp": local.date().isoformat()}
    to_the_minute = {"eventTimestamp": local.replace(second=0).isoformat()}
    if scan.stated is Stated.OFFSET:
        return to_the_minute
    return to_the_minute | {
        "GMTTimestamp": f"{scan.at:%Y-%m-%dT%H:%M:%SZ}",
        "GMTOffset": _offset(local.utcoffset() or timedelta()),
    }


def _offset(offset: timedelta) -> str:
    """`-5:00`: the hour is not padded."""
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60}:{abs(minutes) % 60:02d}"
