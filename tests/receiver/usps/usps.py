"""A small USPS on loopback: tokens, lookups, and whatever answer a test wants next."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from receiver.usps.access_tokens import ClientCredentials
from receiver.usps.account import Account
from receiver.usps.exchange import usps_session
from receiver.usps.http import UspsHttp
from receiver.usps.oauth import TokenEndpoint
from receiver.usps.retries import Quota
from receiver.usps.timing import Timing
from schemas.metrics import UspsMetrics
from tests.receiver.fakes import FakeClock

CLIENT_ID = "sample-client-id-0815"
CLIENT_SECRET = "sample-client-secret-4711"
SCOPE = "tracking subscriptions-tracking labels"


@dataclass
class Scripted:
    """An answer that comes before all others."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def error_body(code: str = "400", message: str = "", /, **inner: Any) -> bytes:
    """USPS's shape."""
    errors = [inner] if inner else []
    error = {"code": code, "message": message, "errors": errors}
    return orjson.dumps({"apiVersion": "/tracking/v3r2", "error": error})


class FakeUsps:
    """What it knows and what it was asked.

    Attributes:
        pieces: The answer for each known number.
        forbidden: Numbers that refuse the whole batch they are in.
        scripted: Answers of the APIs that come first, in order.
        token_scripted: The same of the token endpoint.
        token_facts: What a token answer says beside the token.
        merchant_grants: Codes and refresh tokens that are good.
        rotates: A refresh gives another refresh token and ends the old one.
        batches: The numbers of each lookup that was answered as one.
        requests: Method and path of every API call.
        gate: While it is closed, grants and lookups get no answer.
        hold_at: The lookup that closes the gate.
        asking: A lookup waits at the gate, or would.
        scripted_after: Answers to the calls of these positions, from 0.
    """

    def __init__(self) -> None:
        self.pieces: dict[str, dict[str, Any]] = {}
        self.forbidden: set[str] = set()
        self.later: set[str] = set()
        self.names_forbidden = False
        self.scripted: list[Scripted] = []
        self.token_scripted: list[Scripted] = []
        self.token_facts: dict[str, Any] = {"expires_in": 28799, "scope": SCOPE}
        self.merchant_grants: set[str] = set()
        self.rotates = True
        self.grants: list[dict[str, Any]] = []
        self.batches: list[list[str]] = []
        self.requests: list[tuple[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.revoked: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.granting = asyncio.Event()
        self.asking = asyncio.Event()
        self.scripted_after: dict[int, Scripted] = {}
        self.hold_at: int | None = None

    def app(self) -> web.Application:
        """All of it on one port."""
        app = web.Application()
        app.router.add_post("/oauth2/v3/token", self._token)
        app.router.add_post("/tracking/v3r2/tracking", self._tracking)
        app.router.add_route("*", "/subscriptions-tracking/v3r2/{rest:.*}", self._any)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        grant = await request.json()
        self.grants.append(grant)
        self.granting.set()
        await self.gate.wait()
        if self.token_scripted:
            return _scripted(self.token_scripted.pop(0))
        known = (grant["client_id"], grant["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        if not known:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = {"access_token": f"token-{len(self.grants)}", "token_type": "Bearer"}
        kind = grant["grant_type"]
        if kind != "client_credentials":
            given = grant["code" if kind == "authorization_code" else "refresh_token"]
            if given not in self.merchant_grants:
                return web.json_response({"error": "invalid_grant"}, status=400)
            if self.rotates or kind == "authorization_code":
                token["refresh_token"] = f"refresh-{len(self.grants)}"
                self.merchant_grants = {token["refresh_token"]}
        return web.json_response({**token, **self.token_facts})

    def _seen(self, request: web.Request) -> web.Response | None:
        self.requests.append((request.method, request.path_qs))
        self.headers.append(request.headers)
        if self.scripted:
            return _scripted(self.scripted.pop(0))
        if len(self.requests) - 1 in self.scripted_after:
            return _scripted(self.scripted_after.pop(len(self.requests) - 1))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token.startswith("token-") or token in self.revoked:
            return web.Response(status=401, body=error_body("401", "Invalid token"))
        return None

    async def _any(self, request: web.Request) -> web.Response:
        return self._seen(request) or web.json_response({"well": True})

    async def _tracking(self, request: web.Request) -> web.Response:
        refused = self._seen(request)
        if refused is not None:
            return refused
        numbers = [one["trackingNumber"] for one in await request.json()]
        assert 1 <= len(numbers) <= 35
        self.batches.append(numbers)
        if len(self.batches) == self.hold_at:
            self.gate.clear()
        if self.hold_at in {None, len(self.batches)}:
            self.asking.set()
        await self.gate.wait()
        barred = [number for number in numbers if number in self.forbidden]
        if barred:
            named = f" {barred[0]}" if self.names_forbidden else ""
            text = f"MID is not authorized to access /tracking{named}; see Access Controls"
            return web.Response(status=403, body=error_body("403", text))
        if len(numbers) == 1 and numbers[0] not in self.pieces and numbers[0] not in self.later:
            return web.Response(status=404, body=error_body("404", "not available"))
        answers = [self._one(number) for number in numbers]
        mixed = any(one["statusCode"] != "200" for one in answers)
        return web.json_response(answers, status=207 if mixed else 200)

    def _one(self, number: str) -> dict[str, Any]:
        if number in self.pieces:
            return {"statusCode": "200", **self.pieces[number]}
        code = "150001" if number in self.later else "404"
        error = orjson.loads(error_body(code, "Sample"))
        return {"statusCode": "404", "trackingNumber": number, **error}


def _scripted(answer: Scripted) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


class FakeTime:
    """A clock that waiting moves; no time passes outside."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.slept: list[float] = []
        self.during_sleep: Callable[[], None] = lambda: None

    async def sleep(self, seconds: float) -> None:
        """Others run first, then it is later."""
        await asyncio.sleep(0)
        self.slept.append(seconds)
        self.clock.advance(seconds)
        self.during_sleep()

    @property
    def timing(self) -> Timing:
        """Without chance: jitter at its least."""
        return Timing(self.clock, self.sleep, lambda: 0.0)


@dataclass
class Desk:
    """A client before a fake USPS."""

    usps: FakeUsps
    time: FakeTime
    session: aiohttp.ClientSession
    account: Account
    metrics: UspsMetrics
    samples: CollectorRegistry
    quota: Quota | None = None

    @property
    def endpoint(self) -> TokenEndpoint:
        """A new one."""
        return TokenEndpoint(
            self.session, self.account, self.time.timing, self.metrics, quota=self.quota
        )

    @property
    def tokens(self) -> ClientCredentials:
        """A new one, with nothing cached."""
        return ClientCredentials(self.endpoint, self.time.clock)

    @property
    def http(self) -> UspsHttp:
        """A new one."""
        return UspsHttp(
            self.session,
            self.account,
            self.tokens,
            self.time.timing,
            self.metrics,
            quota=self.quota,
        )

    def calls(self, api: str, outcome: str) -> float:
        """What the metric counted."""
        labels = {"api": api, "outcome": outcome}
        return self.samples.get_sample_value("usps_api_calls_total", labels) or 0.0


@asynccontextmanager
async def desk(secret: str = CLIENT_SECRET) -> AsyncIterator[Desk]:
    """Both ends, running."""
    usps = FakeUsps()
    async with TestServer(usps.app()) as server, usps_session() as session:
        base = str(server.make_url("")).rstrip("/")
        account = Account("main", base, SecretStr(CLIENT_ID), SecretStr(secret))
        samples = CollectorRegistry()
        yield Desk(usps, FakeTime(), session, account, UspsMetrics(samples), samples)
