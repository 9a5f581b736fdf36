"""The listener's contract, request by request (design section 5, contract section 4)."""

from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
import pytest

from schemas.records import Quarantined
from schemas.update import TrackingUpdate, update_id
from tests.receiver.asgi import Answered, request
from tests.receiver.world import (
    NUMBER,
    PAYLOAD,
    SECRET,
    SUBSCRIPTION,
    SUBSCRIPTION_ID,
    TIMESTAMP,
    World,
    callback,
    running,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A receiver with one subscription."""
    async with running(World()) as one:
        yield one


async def post(world: World, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Answered:
    """One whole request to the listener."""
    answered = await request(world.app, headers=headers, pieces=[body])
    assert answered is not None
    return answered


def refused(slug: str, status: int, answered: Answered) -> None:
    """It is a refusal with this slug, a sentence and nothing else."""
    assert answered.status == status
    assert set(answered.json) == {"error", "detail"}
    assert answered.json["error"] == slug
    assert answered.headers["content-type"] == "application/json"


def quarantined(world: World) -> list[dict[str, Any]]:
    """What is in quarantine, each valid against its model."""
    values = world.kafka.values(world.quarantine)
    for value in values:
        Quarantined.model_validate(value)
    return values


async def test_accepted_callback_is_published(world: World) -> None:
    """A signed callback is answered 200 and is then a whole update, keyed by its number."""
    answered = await post(world, *callback())
    assert (answered.status, answered.json) == (200, {"received": True})
    [record] = world.kafka.written
    assert (record.topic, record.key) == (world.updates, NUMBER.encode())
    update = TrackingUpdate.model_validate_json(record.value)
    payload = orjson.dumps(PAYLOAD).decode()
    assert update.update_id == update_id(SUBSCRIPTION_ID, TIMESTAMP, payload)
    assert update.original == payload
    assert update.received_at == "2026-05-14T15:42:10.000Z"
    headers = dict(record.headers)
    assert headers["ce_id"] == update.update_id.encode()
    assert headers["ce_type"] == b"usps.tracking_update"
    assert headers["ce_source"] == b"scanwire/receiver"
    assert headers["ce_subject"] == NUMBER.encode()
    assert headers["content-type"] == b"application/json"
    assert world.counted("usps_receiver_callbacks_total", outcome="accepted") == 1
    assert world.counted("usps_receiver_events_total", category="out_for_delivery") == 1


async def test_repeat_is_accepted_again(world: World) -> None:
    """An exact repeat is published again, under the same id."""
    for _ in range(2):
        assert (await post(world, *callback())).status == 200
    ids = [value["update_id"] for value in world.kafka.values(world.updates)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"hello", b'"\\ud800"'])
async def test_not_json(world: World, body: bytes) -> None:
    """What is not JSON is refused and only counted."""
    refused("not_json", 400, await post(world, body, []))
    assert not world.kafka.written
    assert world.counted("usps_receiver_callbacks_total", outcome="not_json") == 1


@pytest.mark.parametrize("body", [b"[]", b"1", b"{}", b'{"payload": {}}', b"null"])
async def test_not_an_envelope(world: World, body: bytes) -> None:
    """JSON that is no notification is refused and only counted."""
    refused("not_an_envelope", 400, await post(world, body, []))
    assert not world.kafka.written


async def test_bad_signature_is_quarantined(world: World) -> None:
    """A known subscription's callback with a wrong signature is kept, and refused."""
    body, headers = callback(secret=b"another-secret-0123456789abcdefg")
    headers += [(b"authorization", b"Bearer abc"), (b"cookie", b"session=abc")]
    refused("signature_mismatch", 401, await post(world, body, headers))
    [kept] = quarantined(world)
    assert kept["reason"] == "signature_mismatch"
    assert kept["subscription_id"] == SUBSCRIPTION_ID
    assert kept["remote_address"] == "192.0.2.7"
    assert b64decode(kept["body_base64"]) == body
    assert kept["headers"]["x-hmac"]
    assert not {"authorization", "cookie"} & set(kept["headers"])
    assert (kept["accepted"], kept["update_id"]) == (False, None)
    assert world.kafka.written[0].key == SUBSCRIPTION_ID.encode()


async def test_missing_signature_is_quarantined(world: World) -> None:
    """The same without any signature."""
    body, _ = callback()
    refused("signature_missing", 401, await post(world, body, []))
    assert [kept["reason"] for kept in quarantined(world)] == ["signature_missing"]


async def test_unknown_subscription_is_quarantined(world: World) -> None:
    """A callback of an unknown subscription is kept, and refused, however it is signed."""
    refused("unknown_subscription", 401, await post(world, *callback(subscription_id="other")))
    [kept] = quarantined(world)
    assert (kept["reason"], kept["subscription_id"]) == ("unknown_subscription", "other")


async def test_refusals_are_capped(world: World) -> None:
    """Of one subscription's bad callbacks so many are kept per minute; all are refused."""
    body, headers = callback(secret=b"another-secret-0123456789abcdefg")
    for _ in range(70):
        refused("signature_mismatch", 401, await post(world, body, headers))
    assert len(quarantined(world)) == 60
    capped = world.counted("usps_receiver_quarantine_capped_total", reason="signature_mismatch")
    assert capped == 10
    world.clock.advance(61)
    await post(world, body, headers)
    assert len(quarantined(world)) == 61


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("no json", "payload_unreadable"),
        ({"trackingNumber": 5}, "payload_unreadable"),
        ({**PAYLOAD, "mailerID": "112233445"}, "mid_contradiction"),
    ],
)
async def test_verified_but_unusable_is_kept_and_accepted(
    world: World, payload: Mapping[str, Any] | str, reason: str
) -> None:
    """What USPS signed and nobody can use is answered 200 and is in quarantine, uncapped."""
    for _ in range(65):
        answered = await post(world, *callback(payload))
        assert (answered.status, answered.json) == (200, {"received": True})
    kept = quarantined(world)
    assert [value["reason"] for value in kept] == [reason] * 65
    text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
    assert kept[0]["accepted"] is True
    assert kept[0]["update_id"] == update_id(SUBSCRIPTION_ID, TIMESTAMP, text)


async def test_too_large_for_the_broker_is_kept_and_accepted(world: World) -> None:
    """A verified callback whose update the broker calls too large is in quarantine."""
    world.kafka.max_bytes = 5_000
    many = {**PAYLOAD, "trackingEvents": PAYLOAD["trackingEvents"] * 8}
    answered = await post(world, *callback(many))
    assert answered.status == 200
    assert [kept["reason"] for kept in quarantined(world)] == ["record_too_large"]


async def test_older_secret_still_verifies(world: World) -> None:
    """During a rotation a callback signed with the older secret is accepted, and counted so."""
    old = b"older-secret-0123456789abcdefghi"
    world.registry.table = {
        SUBSCRIPTION_ID: SUBSCRIPTION.__class__("acme-webhook", None, None, (SECRET, old))
    }
    assert (await post(world, *callback(secret=old))).status == 200
    matches = world.counted(
        "usps_receiver_secret_matches_total", subscription="acme-webhook", secret="1"
    )
    assert matches == 1


async def test_stale_callback_is_counted_and_accepted(world: World) -> None:
    """By default a callback reported long ago only counts."""
    answered = await post(world, *callback(timestamp="2026-05-01T00:00:00.000Z"))
    assert answered.status == 200
    assert world.counted("usps_receiver_stale_callbacks_total") == 1


@pytest.mark.parametrize(
    "timestamp", ["2026-05-01T00:00:00Z", "2026-05-14T15:50:00.000Z", "yesterday", ""]
)
async def test_stale_callback_is_refused_where_the_setting_says(timestamp: str) -> None:
    """With the setting it is refused and kept: too old, too far ahead, unreadable."""
    async with running(World(timestamp_refuse_stale="true")) as world:
        refused("timestamp_stale", 401, await post(world, *callback(timestamp=timestamp)))
        assert [kept["reason"] for kept in quarantined(world)] == ["timestamp_stale"]
        assert (await post(world, *callback())).status == 200


async def test_before_the_registry_was_read(world: World) -> None:
    """Without a registry nothing is known and nothing is refused for good."""
    world.registry.table = None
    answered = await post(world, *callback())
    refused("unavailable", 503, answered)
    assert int(answered.headers["retry-after"]) >= 1


async def test_subscription_without_secret(world: World) -> None:
    """A subscription of which no secret can be resolved gets 503; others are served."""
    without = SUBSCRIPTION.__class__("no-secret", None, None, ())
    world.registry.table = {SUBSCRIPTION_ID: SUBSCRIPTION, "other": without}
    refused("unavailable", 503, await post(world, *callback(subscription_id="other")))
    assert (await post(world, *callback())).status == 200


async def test_broker_away(world: World) -> None:
    """Without an acknowledgement the answer is 503 with Retry-After, for what is kept too."""
    world.kafka.reachable = False
    answered = await post(world, *callback())
    refused("unavailable", 503, answered)
    assert int(answered.headers["retry-after"]) >= 1
    refused("unavailable", 503, await post(world, *callback(subscription_id="other")))
    refused("not_json", 400, await post(world, b"", []))


async def test_body_in_pieces(world: World) -> None:
    """A body that comes in many pieces is one callback."""
    body, headers = callback()
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    answered = await request(world.app, headers=headers, pieces=pieces)
    assert answered is not None
    assert answered.status == 200


async def test_body_too_large(world: World) -> None:
    """More than a mebibyte is refused: at once where it is announced, else when it is reached."""
    announced = await request(world.app, headers=[(b"content-length", b"1048577")], pieces=[b""])
    assert announced is not None
    refused("body_too_large", 413, announced)
    unannounced = await request(world.app, pieces=[b"x" * 600_000, b"x" * 600_000, b"x"])
    assert unannounced is not None
    refused("body_too_large", 413, unannounced)
    body, headers = callback({**PAYLOAD, "x": "y" * 1_000_000})
    assert (await post(world, body, headers)).status == 200


async def test_client_that_leaves_gets_nothing(world: World) -> None:
    """A client that disconnects in the middle of its body is not answered."""
    assert await request(world.app, pieces=[b"{", None]) is None
    assert not world.kafka.written


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_probe(world: World, method: str) -> None:
    """GET and HEAD on the listener are answered 200 and change nothing."""
    answered = await request(world.app, method)
    assert answered is not None
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/metrics", "/health/ready", "/usps/tracking/", "/usps"])
async def test_nothing_else_is_public(world: World, path: str) -> None:
    """Other paths, health and metrics among them, are not found."""
    for method in ("GET", "POST"):
        answered = await request(world.app, method, path)
        assert answered is not None
        refused("not_found", 404, answered)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
async def test_other_methods(world: World, method: str) -> None:
    """Other methods on the listener are not allowed."""
    answered = await request(world.app, method)
    assert answered is not None
    refused("method_not_allowed", 405, answered)
