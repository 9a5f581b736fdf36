"""From a payload of USPS's tracking feeds to the record of `usps.tracking-updates.v1`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.errors import RecordRejected
from schemas.event import Channel, FeedEvent, MailKind, MidSource
from schemas.identifiers import (
    MidStatus,
    NumberKind,
    TrackingNumber,
    is_mid,
    normalize_tracking_number,
)
from schemas.usps import flags
from schemas.usps.package_facts import package_facts
from schemas.usps.payload import in_v3r2_layout
from schemas.usps.scan_events import Context, category_texts, read_history
from schemas.usps.stamps import read_instant

_PADDED_MID_DIGITS: Final = 9
_PADDING: Final = "000"
_BLANK_EVENT: Final = {
    **dict.fromkeys(FeedEvent.model_fields),
    "mail_kind": MailKind.PACKAGE.value,
}
_SUBSCRIPTION: Final = MidSource.SUBSCRIPTION.value
_FEED: Final = MidSource.FEED.value
_OTHER: Final = NumberKind.OTHER
_EXACT: Final = MidStatus.EXACT
_AMBIGUOUS: Final = MidStatus.AMBIGUOUS


class Normalized(NamedTuple):
    """A payload in our terms.

    Attributes:
        tracking_number: In its key form, the record's key.
        record: A `TrackingUpdate`, ready to be written as JSON.
        categories: Of each event, oldest first.
        flags: Everything odd, for counting: the update's flags, then the events' own.
    """

    tracking_number: str
    record: dict[str, Any]
    categories: tuple[str, ...]
    flags: tuple[str, ...]


class StatedMid(NamedTuple):
    """Whose piece it is, as far as subscription and feed say so, and who says it."""

    mid: str | None
    source: str | None
    unreadable: bool = False


def normalize(
    payload: Mapping[str, Any],
    *,
    channel: Channel,
    update_id: str,
    subscription_id: str | None,
    subscription_mid: str | None,
    received_at: str,
    received: datetime,
    reported_at: str | None,
    original: str,
    escaped_twice: bool = False,
) -> Normalized:
    """The record of one callback or lookup answer.

    `received_at` is `received` as records have it; `reported_at` the envelope's timestamp as
    it stands there; `original` the payload's text. Raises `RecordRejected` with
    `payload_unreadable` or `mid_contradiction`, and nothing else, for any JSON object.
    """
    payload, stated = in_v3r2_layout(payload)
    number = normalize_tracking_number(payload["trackingNumber"])
    mid = read_mid(payload.get("mailerID"), subscription_mid)
    number_flags = _number_flags(number, mid)
    shared = {
        "tracking_number": number.value,
        "channel": channel.value,
        "subscription_id": subscription_id,
        "mid": mid.mid,
        "mid_source": mid.source,
        "received_at": received_at,
    }
    blank = _BLANK_EVENT | shared
    context = Context(blank, number_flags, received_at, received, category_texts())
    update_flags = (*number_flags, flags.PAYLOAD_ESCAPED_TWICE) if escaped_twice else number_flags
    record = {
        "update_id": update_id,
        **shared,
        "reported_at": _instant(reported_at),
        "barcode": _barcode_facts(number),
        "flags": list(update_flags),
        "package": package_facts(payload),
        "events": read_history(stated, context),
        "original": original,
    }
    return _normalized(record, number_flags)


def read_mid(stated: object, subscription_mid: str | None) -> StatedMid:
    """The MID by the feed's `mailerID` and by the subscription, which must not contradict.

    Raises `RecordRejected` (`mid_contradiction`).
    """
    if stated is None or (isinstance(stated, str) and not stated.strip()):
        return StatedMid(subscription_mid, None if subscription_mid is None else _SUBSCRIPTION)
    mid = mid_of_field(stated) if isinstance(stated, str) else None
    if subscription_mid is not None and mid != subscription_mid:
        raise RecordRejected(
            "mid_contradiction", "the payload's mailerID is not the subscription's MID"
        )
    if mid is None:
        return StatedMid(None, None, unreadable=True)
    return StatedMid(mid, _FEED)


def mid_of_field(text: str) -> str | None:
    """The MID in a feed's field, which may be nine wide and pad six digits with zeros."""
    mid = text.strip()
    if len(mid) == _PADDED_MID_DIGITS and mid.startswith(_PADDING):
        mid = mid[len(_PADDING) :]
    return mid if is_mid(mid) else None


def _number_flags(number: TrackingNumber, mid: StatedMid) -> tuple[str, ...]:
    """What is odd about the tracking number and the MID. The barcode's MID proves nothing."""
    odd = []
    if number.check_digit_ok is False:
        odd.append(flags.CHECK_DIGIT_WRONG)
    if number.kind is _OTHER:
        odd.append(flags.NOT_A_BARCODE)
    if number.mid_status is _AMBIGUOUS:
        odd.append(flags.AMBIGUOUS_BARCODE)
    if number.mid_status is _EXACT and mid.mid not in (None, number.mid):
        odd.append(flags.BARCODE_MID_DIFFERS)
    if mid.unreadable:
        odd.append(flags.MID_UNREADABLE)
    return tuple(odd)


def _barcode_facts(number: TrackingNumber) -> dict[str, Any]:
    return {
        "kind": number.kind.value,
        "mid": number.mid,
        "mid_status": number.mid_status.value,
        "check_digit_ok": number.check_digit_ok,
    }


def _instant(reported_at: str | None) -> str | None:
    found = read_instant(reported_at) if reported_at is not None else None
    return None if found is None else found[1]


def _normalized(record: dict[str, Any], number_flags: tuple[str, ...]) -> Normalized:
    categories: list[str] = []
    odd = list(record["flags"])
    for event in record["events"]:
        categories.append(event["category"])
        if len(event["flags"]) > len(number_flags):
            odd += event["flags"][len(number_flags) :]
    return Normalized(record["tracking_number"], record, tuple(categories), tuple(odd))
