"""The http sink against a real server: the contract's request, and what answers mean."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from processors.sinks.base import AttemptResult, Outcome, Sink, SinkTools, SinkUnusable
from processors.sinks.http import HttpSink, classify, seconds_of, webhook_body
from processors.sinks.table import SINKS, make_sink, sink_table
from schemas.clock import SystemClock
from schemas.registry.destinations import HttpDestination, parse_destination
from schemas.secrets import Secrets, SecretUnavailable
from tests.contracts.sink import ReceivingEnd, SinkContract, opened, outcomes, sink_event
from tests.processors.deliver.fakes import FakeClock

NEW = "whsec_" + b64encode(b"n" * 32).decode()
OLD = "whsec_" + b64encode(b"o" * 32).decode()


class Merchant(ReceivingEnd):
    """A merchant's endpoint; `status` and `headers` are its answer."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.files = {"/old": OLD}
        self.secrets = Secrets({"NEW": NEW, "TOKEN": "Bearer t", "BAD": "whsec_!"}, self._read)
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self.server = TestServer(app)

    def _read(self, path: str) -> str:
        if path not in self.files:
            raise FileNotFoundError
        return self.files[path]

    async def _receive(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers, await request.read()))
        return web.Response(status=self.status, headers=self.headers, text="thanks")

    async def received(self) -> list[tuple[str, bytes]]:
        return [(headers["webhook-id"], body) for headers, body in self.requests]

    def destination(self, **changes: object) -> HttpDestination:
        declared = {
            "id": "acme-orders",
            "merchant": "acme",
            "kind": "http",
            "url": str(self.server.make_url("/hook")),
            "signing_secrets": ["env:NEW", "file:/old"],
            "allow_private_addresses": True,
            "timeout_seconds": 5,
            **changes,
        }
        destination = parse_destination(declared)
        assert isinstance(destination, HttpDestination)
        return destination

    def sink(self, **changes: object) -> Sink:
        return make_sink(self.destination(**changes), SinkTools(self.secrets, SystemClock()))

    def lost_sink(self) -> Sink:
        return self.sink(url="http://127.0.0.1:1/hook")


@pytest.fixture
async def end() -> AsyncIterator[Merchant]:
    """A merchant that accepts everything."""
    merchant = Merchant()
    await merchant.server.start_server()
    yield merchant
    await merchant.server.close()


class TestHttpSink(SinkContract):
    """The shared suite."""


async def test_the_request_is_as_the_contract_says(end: Merchant) -> None:
    """Type, timestamp and the ScanEvent, with its id in a header."""
    event = sink_event("9205500000000000000001", category="delivered")
    async with opened(end.sink()) as sink:
        await outcomes(sink, event)
    [(headers, body)] = end.requests
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == event.event_id
    sent = orjson.loads(body)
    assert list(sent) == ["type", "timestamp", "data"]
    assert sent["type"] == "usps.scan_event.delivered"
    assert sent["timestamp"] == event.received_at
    assert sent["data"] == orjson.loads(event.value)


@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_the_published_library_verifies_it(end: Merchant, secret: str) -> None:
    """With any one of the active secrets, so that a merchant can rotate."""
    async with opened(end.sink()) as sink:
        await outcomes(sink, sink_event("a"))
    headers, body = end.requests[0]
    assert Webhook(secret).verify(body, headers)["type"] == "usps.scan_event.in_transit"


async def test_a_changed_secret_file_signs_the_next_request(end: Merchant) -> None:
    """Without a restart, and without losing the connections."""
    changed = "whsec_" + b64encode(b"c" * 24).decode()
    async with opened(end.sink()) as sink:
        await outcomes(sink, sink_event("a"))
        end.files["/old"] = changed
        assert end.secrets.refresh()
        sink.refresh()
        await outcomes(sink, sink_event("b"))
    headers, body = end.requests[1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = b64decode(changed.removeprefix("whsec_"))
    expected = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"].split(" ")[1] == f"v1,{expected}"


async def test_an_unusable_changed_secret_changes_nothing(end: Merchant) -> None:
    """A half-written file does not stop delivery."""
    async with opened(end.sink()) as sink:
        end.files["/old"] = "whsec_"
        end.secrets.refresh()
        sink.refresh()
        assert await outcomes(sink, sink_event("a")) == [Outcome.ACCEPTED]
    assert len(end.requests[0][0]["webhook-signature"].split(" ")) == 2


async def test_one_secret_of_several_is_enough(end: Merchant) -> None:
    """What cannot be resolved does not sign; without any, the destination is unusable."""
    async with opened(end.sink(signing_secrets=["env:GONE", "env:NEW"])) as sink:
        await outcomes(sink, sink_event("a"))
    assert len(end.requests[0][0]["webhook-signature"].split(" ")) == 1
    with pytest.raises(SecretUnavailable):
        await end.sink(signing_secrets=["env:GONE"]).open()
    with pytest.raises(SinkUnusable):
        await end.sink(signing_secrets=["env:BAD"]).open()
    with pytest.raises(SinkUnusable):
        await end.sink(signing_secrets=["env:TOKEN"]).open()


async def test_own_headers_are_sent_by_reference(end: Merchant) -> None:
    """A merchant's token is a secret like any other."""
    async with opened(end.sink(headers={"Authorization": "env:TOKEN"})) as sink:
        await outcomes(sink, sink_event("a"))
    assert end.requests[0][0]["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("name", "value"),
    [("webhook-id", "x"), ("Host", "x"), ("a b", "x"), ("x:", "x"), ("x", "a\r\nb: c"), ("x", "ü")],
)
async def test_headers_that_would_break_the_request_are_refused(
    end: Merchant, name: str, value: str
) -> None:
    """Neither ours nor the request's frame can be replaced, and no line can be smuggled in."""
    end.files["/header"] = value
    with pytest.raises(SinkUnusable):
        await end.sink(headers={name: "file:/header"}).open()


async def test_a_release_says_that_it_may_be_out_of_order(end: Merchant) -> None:
    """The router's header reaches the merchant; its own notes do not."""
    event = sink_event("a")
    event.headers.append(("scanwire-out-of-order", b"release"))  # type: ignore[attr-defined]
    async with opened(end.sink()) as sink:
        await outcomes(sink, event)
    headers = end.requests[0][0]
    assert headers["scanwire-out-of-order"] == "release"
    assert "scanwire-grant" not in headers


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "accepted"),
        (202, "accepted"),
        (204, "accepted"),
        (299, "accepted"),
        (301, "refused"),
        (307, "refused"),
        (400, "refused"),
        (401, "refused"),
        (404, "refused"),
        (413, "refused"),
        (429, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
        (599, "unavailable"),
        (410, "gone"),
    ],
)
async def test_what_an_answer_means(end: Merchant, status: int, outcome: str) -> None:
    """2xx, 410, the destination's failures, and everything else."""
    end.status = status
    async with opened(end.sink()) as sink:
        [result] = await sink.deliver([sink_event("a")])
    assert (result.outcome, result.status) == (outcome, status)


async def test_a_redirect_is_not_followed(end: Merchant) -> None:
    """It is a failure, however near its target is."""
    end.status = 308
    end.headers = {"location": str(end.server.make_url("/hook"))}
    async with opened(end.sink()) as sink:
        [result] = await sink.deliver([sink_event("a")])
    assert result.detail == "redirect_not_followed"
    assert len(end.requests) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("99999999999999999999", 999999999.0),
        ("Tue, 24 Nov 2026 00:01:00 GMT", 60.0),
        ("Mon, 23 Nov 2026 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("Tue, 99 Foo 2026 99:99:99 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_a_count_or_a_date(text: str | None, seconds: float | None) -> None:
    """And nothing else is one."""
    assert seconds_of(text, FakeClock()) == seconds


def test_only_429_and_503_may_ask_for_patience() -> None:
    """A Retry-After on another answer means nothing."""
    clock = FakeClock()
    assert classify(503, "9", clock).retry_after_seconds == 9
    assert classify(429, "9", clock).retry_after_seconds == 9
    assert classify(500, "9", clock) == AttemptResult(Outcome.UNAVAILABLE, 500)
    assert classify(301, "9", clock).retry_after_seconds is None


def test_every_attempt_has_the_same_body() -> None:
    """Byte for byte."""
    assert webhook_body(sink_event("a")) == webhook_body(sink_event("a"))


async def test_a_private_address_is_refused_unless_allowed(end: Merchant) -> None:
    """The declaration's check is for the scheme; this one is for the address."""
    https = str(end.server.make_url("/hook")).replace("http:", "https:")
    async with opened(end.sink(url=https, allow_private_addresses=False)) as sink:
        [result] = await sink.deliver([sink_event("a")])
    assert result == AttemptResult(Outcome.UNAVAILABLE, detail="address_refused")


def test_a_kind_stands_once_in_the_table() -> None:
    """A name that is used twice is an error, and a kind without a sink is told."""
    assert set(SINKS) == {"http", "kafka"}
    with pytest.raises(ValueError, match="two sinks"):
        sink_table(("http", HttpSink), ("http", HttpSink))
    declared = {"id": "d", "merchant": "acme", "kind": "postgres", "dsn": "env:DSN"}
    with pytest.raises(SinkUnusable, match="no sink of kind postgres"):
        make_sink(parse_destination(declared), SinkTools(Secrets({}, str), SystemClock()))
