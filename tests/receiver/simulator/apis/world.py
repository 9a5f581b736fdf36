"""A USPS in a box, a client of its APIs, and a listener that its callbacks go to."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.usps import CLIENT_ID, CLIENT_SECRET, Terms
from receiver.simulator.box import Plan, UspsInABox, usps_in_a_box
from receiver.simulator.oddities import NONE
from receiver.simulator.retries import Retries
from tests.receiver.fakes import FakeClock
from tests.receiver.simulator.apis.document import check_answer, check_request

MID = "912345678"
FOREIGN_MID = "999999998"
SECRET = "sample-only-secret-0123456789abc"
TOKEN = "/oauth2/v3/token"
SUBSCRIPTIONS = "/subscriptions-tracking/v3r2/subscriptions"
TRACKING = "/tracking/v3r2/tracking"
OTHER_CLIENT = {"client_id": "other", "client_secret": "other-secret"}
CLIENTS = {CLIENT_ID: CLIENT_SECRET, "other": SecretStr("other-secret")}
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET.get_secret_value(),
}


@dataclass(frozen=True)
class Answered:
    """An answer that is as the document says."""

    status: int
    headers: Any
    body: Any

    @property
    def etag(self) -> str:
        """Its ETag."""
        return str(self.headers["ETag"])


@dataclass
class Client:
    """Calls the APIs; what it sends and gets is held against the document."""

    session: aiohttp.ClientSession
    base_url: str
    token: str = ""

    async def log_in(self, **more: str) -> Answered:
        """By client credentials."""
        answered = await self.call("POST", TOKEN, CREDENTIALS | more)
        self.token = answered.body["access_token"]
        return answered

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        valid: bool = True,
        query: dict[str, str] | None = None,
        **headers: str,
    ) -> Answered:
        """`valid`: whether the body must be as the document says."""
        if body is not None and valid:
            check_request(method, path, body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(
            method,
            self.base_url + path,
            data=None if body is None else orjson.dumps(body),
            headers={"Content-Type": "application/json"} | named if body is not None else named,
            params=query,
        ) as response:
            told = await response.read()
            check_answer(method, path, response.status, response.headers, told)
            return Answered(response.status, response.headers, orjson.loads(told or b"null"))

    async def subscribe(self, url: str, mid: str = MID, *event_types: str) -> Answered:
        """Creates a subscription."""
        return await self.call("POST", SUBSCRIPTIONS, new_subscription(url, mid, *event_types))

    async def read(self, subscription_id: str) -> Answered:
        """One subscription."""
        return await self.call("GET", f"{SUBSCRIPTIONS}/{subscription_id}")

    async def change(self, subscription_id: str, etag: str, body: object) -> Answered:
        """PUT."""
        return await self.call("PUT", f"{SUBSCRIPTIONS}/{subscription_id}", body, If_Match=etag)

    async def delete(self, subscription_id: str, etag: str) -> Answered:
        """DELETE."""
        return await self.call("DELETE", f"{SUBSCRIPTIONS}/{subscription_id}", If_Match=etag)

    async def list(self, **query: str) -> Answered:
        """All subscriptions, or some."""
        return await self.call("GET", SUBSCRIPTIONS, query=query)

    async def track(self, *numbers: str, **more: str) -> Answered:
        """Up to 35 numbers."""
        items = [{"trackingNumber": number, **more} for number in numbers]
        return await self.call("POST", TRACKING, items)


def new_subscription(url: str, mid: str = MID, *event_types: str) -> dict[str, Any]:
    """The body of a creation."""
    return {
        "listenerURL": url,
        "secret": SECRET,
        "adminNotification": [{"email": "usps-alerts@example.com"}],
        "filterProperties": {"MID": mid, "trackingEventTypes": [*(event_types or ["ALL_UPDATES"])]},
    }


@dataclass
class Listener:
    """Takes callbacks and answers as told."""

    url: str = ""
    status: int = 200
    requests: list[tuple[list[tuple[bytes, bytes]], bytes]] = field(default_factory=list)
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """A callback."""
        self.requests.append((list(request.raw_headers), await request.read()))
        self.taken.set()
        return web.json_response({"received": True}, status=self.status)

    async def next(self) -> None:
        """Waits for another callback."""
        self.taken.clear()
        await self.taken.wait()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """A listener on a port of its own."""
    listener = Listener()
    app = web.Application()
    app.router.add_post("/usps/tracking", listener.take)
    async with TestServer(app) as server:
        listener.url = str(server.make_url("/usps/tracking"))
        yield listener


@dataclass
class World:
    """All of it, on one clock."""

    box: UspsInABox
    client: Client
    listener: Listener
    clock: FakeClock
    notices: list[tuple[str, str]]


@asynccontextmanager
async def world(
    *oddities: ApiOddity, calls_per_hour: int = 60, mids: Iterable[str] = (MID,), seed: int = 1
) -> AsyncIterator[World]:
    """With a client that has a token."""
    clock = FakeClock()
    notices: list[tuple[str, str]] = []
    terms = Terms(CLIENTS, frozenset(mids), frozenset(oddities), calls_per_hour)
    plan = Plan(terms=terms, rates=NONE, seed=seed, active=5, retries=Retries(()))
    async with (
        listening() as listener,
        usps_in_a_box(plan, clock, on_notice=lambda *told: notices.append(told)) as box,
        aiohttp.ClientSession() as session,
    ):
        client = Client(session, box.base_url)
        await client.log_in()
        yield World(box, client, listener, clock, notices)
