"""Subscriptions - Tracking v3r2: clients manage whom USPS calls."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.simulator.apis.answers import answer, body_of, json_of, of_api, only_query
from receiver.simulator.apis.bodies import MID_FORM, NUMBER_FORM, read_subscription
from receiver.simulator.apis.book import SubscriptionBook
from receiver.simulator.apis.gate import Gate
from receiver.simulator.apis.refusals import SUBSCRIPTIONS, bad_request
from receiver.simulator.apis.subscription import UspsSubscription

SCOPE: Final = "subscriptions-tracking"
_PATH: Final = f"{SUBSCRIPTIONS}/subscriptions"
_MID: Final = re.compile(MID_FORM)
_NUMBER: Final = re.compile(NUMBER_FORM)
_MOST_LISTED: Final = 100
_LISTED: Final = 20
_LARGEST_OFFSET: Final = 10**9

Operation = Callable[[Request, str], Awaitable[Response]]


class SubscriptionsApi:
    """`/subscriptions-tracking/v3r2`."""

    def __init__(
        self,
        gate: Gate,
        book: SubscriptionBook,
        stated: Callable[[UspsSubscription], dict[str, Any]],
        on_created: Callable[[UspsSubscription], None],
    ) -> None:
        self._gate = gate
        self._book = book
        self._stated = stated
        self._on_created = on_created

    def routes(self) -> Sequence[Route]:
        """All operations on all subscriptions, and on one."""
        one = _PATH + "/{subscription_id:path}"
        return [
            self._route(_PATH, self._create, "POST"),
            self._route(_PATH, self._list, "GET"),
            self._route(one, self._get, "GET"),
            self._route(one, self._change, "PUT"),
            self._route(one, self._delete, "DELETE"),
        ]

    def _route(self, path: str, operation: Operation, method: str) -> Route:
        async def admitted(request: Request) -> Response:
            return await operation(request, self._gate.admit(request, SCOPE))

        endpoint = of_api(SUBSCRIPTIONS, admitted, with_errors=self._gate.with_errors)
        return Route(path, endpoint, methods=[method])

    async def _create(self, request: Request, client_id: str) -> Response:
        json_of(request)
        created = self._book.create(client_id, read_subscription(await body_of(request)))
        self._on_created(created)
        location = f"{_PATH}/{created.subscription_id}"
        return self._one(created, 201, {"Location": location})

    async def _list(self, request: Request, client_id: str) -> Response:
        query = only_query(request, "MID", "trackingNumber", "offset", "limit")
        offset = _whole_number(query, "offset", 0, 0, _LARGEST_OFFSET)
        limit = _whole_number(query, "limit", _LISTED, 1, _MOST_LISTED)
        found = self._book.listed(
            client_id,
            _values(query, "MID", _MID),
            _values(query, "trackingNumber", _NUMBER),
        )
        page = found[offset : offset + limit]
        return answer(
            {
                "subscriptions": [self._stated(one) for one in page],
                "metadata": {
                    "limit": limit,
                    "offset": offset,
                    "totalCount": len(found),
                    "page": offset // limit + 1,
                    "totalPages": -(-len(found) // limit),
                },
            }
        )

    async def _get(self, request: Request, client_id: str) -> Response:
        return self._one(self._book.get(client_id, _id_of(request)))

    async def _change(self, request: Request, client_id: str) -> Response:
        json_of(request)
        asked = read_subscription(await body_of(request))
        if_match = request.headers.get("if-match")
        return self._one(self._book.change(client_id, _id_of(request), if_match, asked))

    async def _delete(self, request: Request, client_id: str) -> Response:
        self._book.delete(client_id, _id_of(request), request.headers.get("if-match"))
        return Response(status_code=204)

    def _one(
        self,
        subscription: UspsSubscription,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        etag = self._book.etag(subscription.subscription_id)
        return answer(self._stated(subscription), status, {**(headers or {}), "ETag": etag})


def _id_of(request: Request) -> str:
    found: str = request.path_params["subscription_id"]
    return found


def _values(query: dict[str, str], name: str, form: re.Pattern[str]) -> frozenset[str]:
    """None given: none. Raises `ApiRefusal`: 400 for one that has not this form."""
    if name not in query:
        return frozenset()
    found = query[name].split(",")
    if not all(form.fullmatch(one) for one in found):
        raise bad_request(f"OASValidation: {name}: write values with commas", name)
    return frozenset(found)


def _whole_number(query: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not least <= int(text[:18]) <= most:
        raise bad_request(f"OASValidation: {name}: write a number from {least}", name)
    return int(text)
