"""One scan event of USPS's tracking feeds, as the feed states it, in our terms."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from schemas.event import EventCategory, event_id, stated_minute, stated_place
from schemas.usps import flags
from schemas.usps.codes import event_codes
from schemas.usps.times import (
    MAX_KEPT_CHARACTERS,
    is_future,
    read_event_time,
)
from schemas.usps.values import add_open_fields, is_plain, passing_fields, zip_of

# With those of the table, the containers and four texts of unreadable times: at most 50.
MAX_OTHER_ATTRIBUTES: Final = 37
MAX_CONTAINERS: Final = 10

# Read into fields of their own, or personal (firm, recipientName, and v3's name, authorizedAgent).
_NOT_ATTRIBUTES: Final = frozenset(
    {
        "eventCode",
        "eventType",
        "eventTimestamp",
        "GMTTimestamp",
        "GMTOffset",
        "eventCity",
        "eventState",
        "eventZIPCode",
        "eventCountry",
        "firm",
        "recipientName",
        "name",
        "authorizedAgent",
    }
)
_ATTRIBUTES: Final = {
    "actionCode": "action_code",
    "reasonCode": "reason_code",
    "eventPartner": "event_partner",
    "CODAmountDue": "cod_amount_due",
    "veriPoint": "veri_point",
    "barcodeInputMethod": "barcode_input_method",
    "eSOL": "e_sol",
    "scanEventExtractEventName": "scan_event_extract_event_name",
}

_CONTAINER: Final = {"containerID": "container_id", "containerType": "container_type"}
_UNKNOWN: Final = EventCategory.UNKNOWN.value


@cache
def category_texts() -> Mapping[str, str]:
    """Category by event code, as records have it."""
    return {code: facts.category.value for code, facts in event_codes().items()}


class Context(NamedTuple):
    """What the events of one update share.

    Attributes:
        blank: A record with the fields filled in that all of them share.
        flags: Those of the tracking number and the MID.
        received_at: Of the update, as records have it, and as a datetime.
        categories: By event code.
    """

    blank: dict[str, Any]
    flags: tuple[str, ...]
    received_at: str
    received: datetime
    categories: Mapping[str, str]


def read_history(events: Sequence[Mapping[str, Any]], context: Context) -> list[dict[str, Any]]:
    """The records of a history that states the newest first, the oldest first."""
    records = [read_scan_event(event, context) for event in reversed(events)]
    if len({record["event_id"] for record in records}) < len(records):
        _tell_equal_ones_apart(records)
    return records


def read_scan_event(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The record of an event, less what `packages` adds; defined for every JSON object.

    A field of the wrong type counts as absent, and is flagged.
    """
    get = event.get
    odd = list(context.flags)
    instant, local, utc_offset, precision, basis, odd_time, unread = read_event_time(
        get("eventTimestamp"), get("GMTTimestamp"), get("GMTOffset")
    )
    stated_zip = _text(get("eventZIPCode"), odd)
    zip_code = zip_of(stated_zip) if stated_zip else None
    # A copy that is filled in costs half of what a new dict costs.
    record = context.blank.copy()
    record["event_code"] = code = (_text(get("eventCode"), odd) or "").upper()
    record["event_text"] = _text(get("eventType"), odd) or _event_name(event)
    record["category"] = context.categories.get(code, _UNKNOWN)
    record["event_time"] = instant
    record["event_local_time"] = local
    record["utc_offset"] = utc_offset
    record["time_precision"] = precision
    record["time_basis"] = basis
    record["city"] = city = _text(get("eventCity"), odd)
    record["state"] = _text(get("eventState"), odd)
    record["zip"] = zip_code
    record["country"] = (_text(get("eventCountry"), odd) or "").upper() or None
    record["attributes"] = _attributes(event, odd)
    record["flags"] = odd
    # As `stated_minute` and `stated_place` of the record say.
    minute = local[:16] if local else stated_minute(record)
    place = zip_code or (city.upper() if city else "")
    record["event_id"] = event_id(record["tracking_number"], code, minute, place)
    # Texts of times compare well enough to see that nearly none needs a closer look.
    if odd_time or zip_code != stated_zip or (instant or local or "") > context.received_at:
        _note_oddities(record, context, odd_time, unread, stated_zip)
    return record


def _note_oddities(
    record: dict[str, Any],
    context: Context,
    odd_time: tuple[str, ...],
    unread: tuple[tuple[str, str], ...],
    stated_zip: str | None,
) -> None:
    """Adds what is odd about the time, and the texts of what should have been a time or a ZIP."""
    record["flags"] += odd_time
    if is_future(record["event_time"], record["event_local_time"], context.received):
        record["flags"].append(flags.TIME_IN_FUTURE)
    record["attributes"] |= dict(unread)
    if stated_zip is not None and record["zip"] is None:
        record["attributes"]["event_zip_code"] = stated_zip[:MAX_KEPT_CHARACTERS]


def _tell_equal_ones_apart(records: list[dict[str, Any]]) -> None:
    """Gives equal scans ids of their own, by their count from the oldest."""
    seen: dict[str, int] = {}
    for record in records:
        first = record["event_id"]
        ordinal = seen.get(first, 0)
        seen[first] = ordinal + 1
        if ordinal:
            record["event_id"] = event_id(
                record["tracking_number"],
                record["event_code"],
                stated_minute(record),
                stated_place(record),
                ordinal,
            )


def _event_name(event: Mapping[str, Any]) -> str | None:
    """The detailed scan's name of the event, for want of a text."""
    name = event.get("scanEventExtractEventName")
    return (name.strip() or None) if isinstance(name, str) else None


def _text(value: object, odd: list[str]) -> str | None:
    """A text without blanks around it; None if absent, empty or, flagged, no text at all."""
    if type(value) is str:
        return value.strip() or None
    if value is not None:
        _flag_field(odd)
    return None


def _flag_field(odd: list[str]) -> None:
    if flags.FIELD_UNREADABLE not in odd:
        odd.append(flags.FIELD_UNREADABLE)


def _attributes(event: Mapping[str, Any], odd: list[str]) -> dict[str, Any]:
    """What else the feed said of the event."""
    passed: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in event.items():
        if name in _NOT_ATTRIBUTES:
            continue
        known = _ATTRIBUTES.get(name)
        if known is None:
            others[name] = value
        elif is_plain(value):
            passed[known] = value
        elif value is not None and value != "":
            _flag_field(odd)
    if others:
        _add_others(passed, others, odd)
    return passed


def _add_others(passed: dict[str, Any], others: dict[str, Any], odd: list[str]) -> None:
    containers = others.pop("containers", None)
    if containers is not None:
        listed = containers if type(containers) is list else [containers]
        objects = [one for one in listed[:MAX_CONTAINERS] if type(one) is dict]
        if objects:
            passed["containers"] = [passing_fields(one, _CONTAINER, 0) for one in objects]
        if len(objects) < len(listed):
            _flag_field(odd)
    add_open_fields(passed, others, MAX_OTHER_ATTRIBUTES)
