"""The in-memory USPS behind HTTP, in the shapes of its OpenAPI documents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from receiver.subscribing.api import DuplicateSubscription, TagStale
from receiver.subscribing.shapes import EventFilter, Tagged, UspsSubscription, Wanted
from receiver.subscribing.usps_api import UspsSubscriptionsApi
from receiver.usps.access_tokens import ClientCredentials
from receiver.usps.account import Account
from receiver.usps.exchange import usps_session
from receiver.usps.http import UspsHttp
from receiver.usps.oauth import TokenEndpoint
from receiver.usps.timing import Timing
from schemas.metrics import UspsMetrics
from tests.receiver.fakes import FakeClock
from tests.receiver.subscribing.memory import MemoryUsps, Stored

PATH = "/subscriptions-tracking/v3r2/subscriptions"


def error(status: int, message: str) -> web.Response:
    """As USPS words it, with nothing required in it."""
    body = {"apiVersion": PATH, "error": {"code": str(status), "message": message, "errors": []}}
    return web.json_response(body, status=status)


class UspsServer:
    """One port. `echo_in_errors`: refusals repeat the secret that was sent or is known."""

    def __init__(self, usps: MemoryUsps) -> None:
        self.usps = usps
        self.echo_in_errors = False
        self.bodies: list[dict[str, Any]] = []
        self.queries: list[dict[str, str]] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/oauth2/v3/token", self._token)
        app.router.add_get(PATH, self._list)
        app.router.add_post(PATH, self._create)
        app.router.add_get(PATH + "/{id}", self._get)
        app.router.add_put(PATH + "/{id}", self._put)
        app.router.add_delete(PATH + "/{id}", self._delete)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"access_token": "sample-token", "token_type": "Bearer", "expires_in": "28799"}
        )

    async def _list(self, request: web.Request) -> web.Response:
        self.queries.append(dict(request.query))
        if "MID" not in request.query:
            return error(400, "MID is required")
        event_filter = EventFilter(request.query["MID"], None, frozenset())
        found = await self.usps.find(event_filter)
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        assert limit <= 100
        if not found:
            return error(404, "")
        page = [self._shown(one.subscription_id) for one in found][offset : offset + limit]
        return web.json_response(
            {"subscriptions": page, "metadata": {"limit": limit, "offset": offset}}
        )

    async def _create(self, request: web.Request) -> web.Response:
        wanted = self._wanted(await request.json())
        try:
            made = await self.usps.create(wanted)
        except DuplicateSubscription as duplicate:
            text = "A subscription for this listener and MID already exists"
            if duplicate.subscription_id:
                text += f": {duplicate.subscription_id}"
            if self.echo_in_errors and wanted.secret is not None:
                text += f" (secret {wanted.secret.get_secret_value()})"
            return error(400, text)
        return web.json_response(
            self._shown(made.subscription_id),
            status=201 if made.fresh else 200,
            headers={"Location": f"{PATH}/{made.subscription_id}"},
        )

    async def _get(self, request: web.Request) -> web.Response:
        tagged = await self.usps.get(request.match_info["id"])
        if tagged is None:
            return error(404, "")
        return web.json_response(
            self._shown(tagged.subscription.subscription_id), headers={"ETag": f'"{tagged.etag}"'}
        )

    async def _put(self, request: web.Request) -> web.Response:
        wanted = self._wanted(await request.json())
        try:
            known = await self.usps.replace(self._tagged(request), wanted)
        except TagStale:
            return error(412, "Precondition Failed")
        if not known:
            return error(404, "")
        return web.json_response(self._shown(request.match_info["id"]))

    async def _delete(self, request: web.Request) -> web.Response:
        subscription_id = request.match_info["id"]
        if subscription_id not in self.usps.stored:
            return error(404, "")
        try:
            await self.usps.delete(self._tagged(request))
        except TagStale:
            return error(412, "Precondition Failed")
        return web.Response(status=204)

    def _tagged(self, request: web.Request) -> Tagged:
        """Verbatim: with its quotes."""
        tag = request.headers["If-Match"]
        assert tag.startswith('"')
        subscription_id = request.match_info["id"]
        found = self.usps.stored.get(subscription_id)
        shown = found.shown if found else replace(_NOBODY, subscription_id=subscription_id)
        return Tagged(shown, tag.strip('"'))

    def _wanted(self, body: dict[str, Any]) -> Wanted:
        self.bodies.append(body)
        assert body.keys() == {
            "listenerURL",
            "secret",
            "status",
            "adminNotification",
            "filterProperties",
        }
        properties = body["filterProperties"]
        event_filter = EventFilter(
            properties.get("MID"),
            properties.get("trackingNumber"),
            frozenset(properties["trackingEventTypes"]),
        )
        emails = tuple(one["email"] for one in body["adminNotification"])
        return Wanted(
            "",
            "",
            body["listenerURL"],
            event_filter,
            emails,
            secret=SecretStr(body["secret"]),
        )

    def _shown(self, subscription_id: str) -> dict[str, Any]:
        found: Stored = self.usps.stored[subscription_id]
        one = found.shown
        subject = (
            {"MID": one.filter.mid}
            if one.filter.mid
            else {"trackingNumber": one.filter.tracking_number}
        )
        document = {
            "subscriptionId": subscription_id,
            "listenerURL": one.listener_url,
            "status": one.status,
            "adminNotification": [{"email": "usps-alerts@acme.example"}],
            "filterProperties": {**subject, "trackingEventTypes": sorted(one.filter.event_types)},
            "creationTimestamp": one.created_at,
            "statusChangeTimestamp": one.status_changed_at,
        }
        if self.usps.oddities.echo == "plain":
            document["secret"] = found.secret
        return document


_NOBODY = UspsSubscription("", "", "ENABLED", EventFilter(None, None, frozenset()))


@asynccontextmanager
async def served(server: UspsServer) -> AsyncIterator[str]:
    """Its base URL."""
    async with TestServer(server.app()) as running:
        yield str(running.make_url("")).rstrip("/")


@asynccontextmanager
async def api_at(
    url: str, client_id: str, client_secret: SecretStr, clock: FakeClock
) -> AsyncIterator[UspsSubscriptionsApi]:
    """Our client of any USPS."""
    account = Account("main", url, SecretStr(client_id), client_secret)
    timing = Timing(clock, sleep=_no_sleep, chance=lambda: 0.5)
    metrics = UspsMetrics(CollectorRegistry())
    async with usps_session() as session:
        tokens = ClientCredentials(TokenEndpoint(session, account, timing, metrics), clock)
        yield UspsSubscriptionsApi(UspsHttp(session, account, tokens, timing, metrics, attempts=2))


@asynccontextmanager
async def real_api(server: UspsServer) -> AsyncIterator[UspsSubscriptionsApi]:
    """Our client of this server."""
    async with (
        served(server) as url,
        api_at(url, "sample-id", SecretStr("sample-secret"), FakeClock()) as api,
    ):
        yield api


async def _no_sleep(_: float) -> None:
    """Time is the test's."""
