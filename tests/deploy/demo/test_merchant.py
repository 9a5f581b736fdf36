"""The simulated merchant takes only what is signed, and notices what must not be."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks.webhooks import Webhook

from deploy.demo.merchant import Endpoint, create_app
from receiver.simulator.endings import RECIPIENTS
from schemas.clock import rfc3339
from schemas.headers import OUT_OF_ORDER

SECRET = f"whsec_{b64encode(bytes(range(32))).decode()}"
OTHER = f"whsec_{b64encode(bytes(32)).decode()}"


def event(number: int, sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """What a merchant is sent."""
    return {
        "event_id": f"{number:032x}",
        "tracking_number": "9205591234567800000011",
        "sequence": sequence,
        "category": "delivered",
        "received_at": rfc3339(datetime.now(UTC)),
        "attributes": {},
    } | changes


def signed(told: dict[str, Any], secret: str = SECRET, **more: str) -> tuple[bytes, dict[str, str]]:
    """A request's body and headers."""
    body = orjson.dumps({"type": "usps.scan_event.delivered", "data": told})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": told["event_id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(told["event_id"], now, body.decode()),
    }
    return body, headers | more


def deliver(endpoint: Endpoint, told: dict[str, Any], secret: str = SECRET, **more: str) -> int:
    """The status that answers."""
    return endpoint.deliver(*signed(told, secret, **more))


def endpoint() -> Endpoint:
    """A fresh one."""
    return Endpoint(SECRET, keep_ids=True)


def test_signed_deliveries_are_counted_once_each() -> None:
    """A repeat is verified too, and counts as a repeat."""
    orders = endpoint()
    assert [deliver(orders, event(n, n)) for n in (1, 2, 2)] == [204] * 3
    stats = orders.received.stats()
    assert (stats["verified"], stats["distinct"], stats["repeated"]) == (3, 2, 1)
    assert orders.received.event_ids == [f"{1:032x}", f"{2:032x}"]
    assert stats["latency_seconds"]["p99"] < 5


@pytest.mark.parametrize(
    "spoilt",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,@@@"},
        {"webhook-signature": "nonsense"},
        {"webhook-timestamp": "1"},
        {"webhook-id": "another"},
    ],
)
def test_wrong_signatures_are_refused(spoilt: dict[str, str]) -> None:
    """Whatever is wrong with the signature: 401, counted, never an exception."""
    orders = endpoint()
    assert deliver(orders, event(1), **spoilt) == 401
    assert deliver(orders, event(1), OTHER) == 401
    assert orders.received.stats()["refused"] == {"signature": 2}
    assert orders.received.event_ids == []


def test_signed_nonsense_is_no_event() -> None:
    """What is signed but is no event is answered 400."""
    orders = endpoint()
    told = event(1)
    del told["sequence"]
    assert deliver(orders, told) == 400
    assert orders.received.stats()["refused"] == {"no_event": 1}


def test_order_of_a_number_is_checked() -> None:
    """An older sequence after a newer one is wrong, unless a header announces it."""
    orders = endpoint()
    for number, sequence in ((1, 1), (3, 3), (2, 2)):
        deliver(orders, event(number, sequence))
    assert orders.received.stats()["out_of_order"] == 1
    deliver(orders, event(4, 2), **{OUT_OF_ORDER: "release"})
    stats = orders.received.stats()
    assert (stats["out_of_order"], stats["announced_out_of_order"]) == (1, 1)


@pytest.mark.parametrize(
    "leak",
    [
        {"piece_evidence": []},
        {"attributes": {"recipient_name": "x"}},
        {"event_text": f"Left with {RECIPIENTS[0]}"},
    ],
)
def test_leaks_are_noticed(leak: dict[str, Any]) -> None:
    """Other parties' evidence and recipients must not reach a merchant."""
    orders = endpoint()
    deliver(orders, event(1, **leak))
    assert orders.received.stats()["leaks"] == 1


async def test_server_serves_its_endpoints() -> None:
    """Deliveries, counts and ids over HTTP; an unknown endpoint is 404."""
    app = create_app({"acme-orders": endpoint()})
    async with TestClient(TestServer(app)) as client:
        body, headers = signed(event(1))
        assert (await client.post("/acme-orders", data=body, headers=headers)).status == 204
        assert (await client.post("/nobody", data=body, headers=headers)).status == 404
        stats = await (await client.get("/stats")).json()
        assert stats["acme-orders"]["verified"] == 1
        assert await (await client.get("/events/acme-orders")).json() == [f"{1:032x}"]
