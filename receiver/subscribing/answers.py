"""Reads what the Subscriptions API v3r2 answers (its OpenAPI document, revision 3.2.2).

Whatever USPS sends, the outcome is one of our values or `UspsUnavailable`
(`answer_unreadable`). Texts that are shown later are held to plain forms here, and the secret,
which USPS repeats at times, becomes a mark.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from receiver.subscribing.shapes import EventFilter, UspsSubscription, secret_mark
from receiver.usps.errors import UspsUnavailable
from receiver.usps.redaction import redact
from schemas.identifiers import is_mid, normalize_tracking_number
from schemas.identifiers.normalize import is_tracking_number
from schemas.registry.entities import EventType

MAX_LISTED: Final = 1000
# A UUID in practice; the document says text.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")
_HEX: Final = "[0-9a-fA-F]"
_UUID: Final = re.compile(
    rf"(?<![0-9a-zA-Z-]){_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?![0-9a-zA-Z-])"
)
_WORD: Final = re.compile(r"[A-Z][A-Z_]{0,39}")
_URL: Final = re.compile(r"[!-~]{1,500}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{5,20}(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
_UNREADABLE: Final = "?"


def read_subscription(document: object) -> UspsSubscription:
    """One subscription. Raises `UspsUnavailable`."""
    subscription_id = read_id(document)
    if subscription_id is None or not isinstance(document, Mapping):
        raise UspsUnavailable(
            "answer_unreadable", "USPS answered with something that is no subscription"
        )
    return UspsSubscription(
        subscription_id=subscription_id,
        listener_url=_held_to(_URL, document.get("listenerURL")) or _UNREADABLE,
        status=_held_to(_WORD, document.get("status")) or _UNREADABLE,
        filter=_filter(document.get("filterProperties")),
        status_reason=_words(document.get("statusReason")),
        status_changed_at=_time(document.get("statusChangeTimestamp")),
        created_at=_time(document.get("creationTimestamp")),
        expires_at=_time(document.get("expirationTimestamp")),
        echoed_mark=_mark(document.get("secret")),
    )


def read_id(document: object) -> str | None:
    """The id of a subscription, if it has one that may stand in a URL."""
    if not isinstance(document, Mapping):
        return None
    return _held_to(_ID, document.get("subscriptionId"))


def read_id_of_location(location: str | None) -> str | None:
    """The id at the end of a `Location` header."""
    return _held_to(_ID, (location or "").partition("?")[0].rstrip("/").rpartition("/")[2])


def read_list(document: object) -> list[UspsSubscription]:
    """What of a list can be read: it only hints, so that one bad entry costs no more than it."""
    return [one for entry in _entries(document) for one in _readable(entry)]


def read_count(document: object) -> int:
    """How many entries this page has, readable or not."""
    return len(_entries(document))


def read_duplicate(said: str, asked: str) -> str | None:
    """The id that an error's text names: a UUID beside those in what was asked."""
    ours = set(_UUID.findall(asked))
    return next((one for one in _UUID.findall(said) if one not in ours), None)


def _readable(entry: object) -> Iterator[UspsSubscription]:
    try:
        yield read_subscription(entry)
    except UspsUnavailable:
        return


def _entries(document: object) -> list[Any]:
    listed = document.get("subscriptions") if isinstance(document, Mapping) else None
    return listed if isinstance(listed, list) else []


def _filter(properties: object) -> EventFilter:
    """An absent list of types is USPS's default; a filter that says nothing equals none of ours."""
    if not isinstance(properties, Mapping):
        return EventFilter(None, None, frozenset())
    types = properties.get("trackingEventTypes")
    if types is None:
        types = [EventType.ALL_UPDATES.value]
    words = types if isinstance(types, list) else [types]
    mid, number = properties.get("MID"), properties.get("trackingNumber")
    return EventFilter(
        mid if isinstance(mid, str) and is_mid(mid) else None,
        _number(number),
        frozenset(_held_to(_WORD, word) or _UNREADABLE for word in words[:20]),
    )


def _number(value: object) -> str | None:
    if not isinstance(value, str) or not is_tracking_number(value):
        return None
    return normalize_tracking_number(value).value


def _time(value: object) -> str | None:
    """A time with its zone; it may become part of a command that is proposed."""
    text = _held_to(_TIME, value)
    try:
        return None if text is None or datetime.fromisoformat(text).tzinfo is None else text
    except ValueError:
        return None


def _held_to(form: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _words(value: object) -> str | None:
    """Plain words of a text; what may be a secret or an address is masked."""
    return redact(value) or None if isinstance(value, str) else None


def _mark(secret: object) -> str | None:
    return secret_mark(secret) if isinstance(secret, str) and secret.isprintable() else None
