"""The Subscriptions API v3r2 over `UspsHttp` (USPS's OpenAPI document, revision 3.2.2)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson

from receiver.subscribing.answers import (
    MAX_LISTED,
    read_count,
    read_duplicate,
    read_id,
    read_id_of_location,
    read_list,
    read_subscription,
)
from receiver.subscribing.api import DuplicateSubscription, TagStale
from receiver.subscribing.shapes import (
    ENABLED,
    Created,
    EventFilter,
    Tagged,
    UspsSubscription,
    Wanted,
)
from receiver.usps.account import Api
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.exchange import UspsResponse

_PATH: Final = "/subscriptions"
_PAGE: Final = 100
_OK: Final = 200
_CREATED: Final = 201
_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_TAG_STALE: Final = 412
# Words of refusals that mean "there is one already", in small letters.
_DUPLICATE_WORDS: Final = ("duplicate", "already exist", "already subscribed")


class Http(Protocol):
    """What is used of `UspsHttp`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        api: Api,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset({_OK}),
    ) -> UspsResponse:
        """Raises `UspsRefused`."""


class UspsSubscriptionsApi:
    """One account's subscriptions. A `SubscriptionsApi`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def create(self, wanted: Wanted) -> Created:
        """POST. Raises `DuplicateSubscription`."""
        try:
            answer = await self._http.request(
                "POST",
                _PATH,
                api="subscriptions",
                json=body_of(wanted),
                expected=frozenset({_OK, _CREATED}),
            )
        except UspsRefused as error:
            _raise_duplicate(error, wanted)
            raise
        found = read_id(answer.json()) or read_id_of_location(answer.headers.get("Location"))
        if found is None:
            raise UspsUnavailable("answer_unreadable", "USPS created a subscription and named none")
        return Created(found, fresh=answer.status == _CREATED)

    async def get(self, subscription_id: str) -> Tagged | None:
        """GET by id, which is fresh where the list is not."""
        answer = await self._http.request(
            "GET",
            _path_of(subscription_id),
            api="subscriptions",
            expected=frozenset({_OK, _NOT_FOUND}),
        )
        if answer.status == _NOT_FOUND:
            return None
        subscription = read_subscription(answer.json())
        if subscription.subscription_id != subscription_id:
            raise UspsUnavailable("answer_unreadable", "USPS answered with another subscription")
        return Tagged(subscription, answer.headers.get("ETag", ""))

    async def find(self, event_filter: EventFilter) -> Sequence[UspsSubscription]:
        """The list by MID or number; 404, and 400 where numbers cannot be asked for, are empty."""
        asked = {"MID": event_filter.mid, "trackingNumber": event_filter.tracking_number}
        params = {name: value for name, value in asked.items() if value is not None}
        found: list[UspsSubscription] = []
        for offset in range(0, MAX_LISTED, _PAGE):
            pages = {"offset": str(offset), "limit": str(_PAGE)}
            page = await self._page({**params, **pages})
            found += read_list(page)
            if read_count(page) < _PAGE:
                break
        return found

    async def _page(self, params: Mapping[str, str]) -> object:
        expected = {_OK, _NOT_FOUND} if "MID" in params else {_OK, _NOT_FOUND, _BAD_REQUEST}
        answer = await self._http.request(
            "GET", _PATH, api="subscriptions", params=params, expected=frozenset(expected)
        )
        return answer.json() if answer.status == _OK else None

    async def replace(self, tagged: Tagged, wanted: Wanted) -> bool:
        """PUT with the ETag as it came. Raises `TagStale`."""
        answer = await self._change("PUT", tagged, body_of(wanted), frozenset({_OK}))
        return answer.status != _NOT_FOUND

    async def delete(self, tagged: Tagged) -> None:
        """DELETE with the ETag as it came. Raises `TagStale`."""
        await self._change("DELETE", tagged, None, frozenset({_OK, 202, 204}))

    async def _change(
        self, method: str, tagged: Tagged, body: object, well: frozenset[int]
    ) -> UspsResponse:
        answer = await self._http.request(
            method,
            _path_of(tagged.subscription.subscription_id),
            api="subscriptions",
            json=body,
            headers={"If-Match": tagged.etag} if tagged.etag else {},
            expected=well | {_NOT_FOUND, _TAG_STALE},
        )
        if answer.status == _TAG_STALE:
            raise TagStale("precondition_failed")
        return answer


def _path_of(subscription_id: str) -> str:
    """A declared id is any text."""
    return f"{_PATH}/{quote(subscription_id, safe='')}"


def body_of(wanted: Wanted) -> dict[str, Any]:
    """A subscription as POST and PUT take it."""
    assert wanted.secret is not None
    subject = (
        {"MID": wanted.filter.mid}
        if wanted.filter.mid is not None
        else {"trackingNumber": wanted.filter.tracking_number}
    )
    return {
        "listenerURL": wanted.listener_url,
        "secret": wanted.secret.get_secret_value(),
        "status": ENABLED,
        "adminNotification": [{"email": address} for address in wanted.admin_emails],
        "filterProperties": {**subject, "trackingEventTypes": sorted(wanted.filter.event_types)},
    }


def _raise_duplicate(error: UspsRefused, wanted: Wanted) -> None:
    """USPS answers a second one with 400 and names the first in the text."""
    if error.status not in {_BAD_REQUEST, _CONFLICT}:
        return
    said = error.said.get_secret_value()
    named = read_duplicate(said, orjson.dumps(body_of(wanted)).decode())
    if named is None and not any(word in said.lower() for word in _DUPLICATE_WORDS):
        return
    raise DuplicateSubscription(named, error.detail) from None
