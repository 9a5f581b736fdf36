"""Declared schemes decide; commissioning only tells what would have matched."""

import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest
from structlog.testing import capture_logs

from receiver.following.subscriptions import KnownSubscription, resolve_subscriptions
from receiver.judging.commissioning import LOOKS_PER_MINUTE
from schemas.registry.entities import Subscription
from schemas.registry.log import RegistryLog
from schemas.secrets import Secrets
from schemas.usps.signature import MessageForm, SignatureEncoding, SignatureScheme
from tests.receiver.asgi import Answered, request
from tests.receiver.world import SECRET, SUBSCRIPTION, SUBSCRIPTION_ID, World, callback, running

BODY, OFFICIAL = callback()
HEX_OF_BODY = hmac.digest(SECRET, BODY, "sha256").hex().encode()
OTHER_WAY = [(b"X-Usps-Signature", HEX_OF_BODY)]
COMMISSIONED = replace(SUBSCRIPTION, commissioning=True)
COUNTER = "usps_receiver_commissioning_matches_total"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A receiver whose one subscription is being commissioned."""
    async with running(World()) as one:
        one.registry.table = {SUBSCRIPTION_ID: COMMISSIONED}
        yield one


async def post(world: World, headers: list[tuple[bytes, bytes]], body: bytes = BODY) -> Answered:
    """One request."""
    answered = await request(world.app, headers=headers, pieces=[body])
    assert answered is not None
    return answered


def known(**scheme: object) -> KnownSubscription:
    """A declared subscription, as callbacks are looked up in."""
    log = RegistryLog()
    declared = {"id": "1", "name": "a", "mid": "912345678", "secrets": ["env:S"], "scheme": scheme}
    log.registry.put(Subscription.model_validate(declared))
    secrets = Secrets({"S": SECRET.decode()}, str)
    resolved = resolve_subscriptions(log, secrets)
    assert resolved.problems == ()
    return resolved.table["1"]


def test_a_declared_scheme_is_in_force() -> None:
    """Headers in order and in lower case, form, encoding, and both modes."""
    declared = known(
        headers=["X-One", "x-two"], message="body", encoding="hex", legacy=True, commissioning=True
    )
    assert declared.scheme == SignatureScheme(
        (b"x-one", b"x-two"), MessageForm.RAW_BODY, SignatureEncoding.HEX
    )
    assert (declared.legacy, declared.commissioning) == (True, True)
    assert known().scheme == SignatureScheme()


async def test_another_scheme_lets_in_what_it_says(world: World) -> None:
    """With its scheme declared the callback is accepted, and the official way is no more."""
    scheme = known(headers=["X-USPS-Signature"], message="raw-body", encoding="hex").scheme
    world.registry.table = {SUBSCRIPTION_ID: replace(SUBSCRIPTION, scheme=scheme)}
    assert (await post(world, OTHER_WAY)).status == 200
    assert (await post(world, OFFICIAL)).json["error"] == "signature_missing"


async def test_a_mismatch_is_refused_and_named(world: World) -> None:
    """401 and quarantine as ever; log and metric say which scheme and secret fit."""
    with capture_logs() as lines:
        answered = await post(world, OTHER_WAY)
    assert (answered.status, answered.json["error"]) == (401, "signature_missing")
    assert len(world.kafka.values(world.quarantine)) == 1
    assert not world.kafka.values(world.updates)
    [line] = [line for line in lines if line["event"] == "commissioning_looked"]
    fits = {"header": "x-usps-signature", "message": "raw-body", "encoding": "hex", "secret": 0}
    assert line["would_match"] == [fits]
    labels = {"header": "other", "message": "raw-body", "encoding": "hex"}
    assert world.counted(COUNTER, subscription="acme-webhook", **labels) == 1


async def test_a_known_header_is_named_in_the_metric(world: World) -> None:
    """The official header with another form has its name as label."""
    signature = b64encode(hmac.digest(SECRET, BODY, "sha256"))
    assert (await post(world, [(b"X-HMAC", signature)])).json["error"] == "signature_mismatch"
    labels = {"header": "x-hmac", "message": "raw-body", "encoding": "base64"}
    assert world.counted(COUNTER, subscription="acme-webhook", **labels) == 1


async def test_nothing_that_matches_is_told_too(world: World) -> None:
    """A wrong secret is told apart from a wrong scheme; names from outside are not logged."""
    with capture_logs() as lines:
        await post(world, [(b"x-invented", b64encode(b"x" * 32))])
    assert [line["would_match"] for line in lines if "would_match" in line] == [[]]
    assert "invented" not in str(lines)
    labels = {"header": "none", "message": "none", "encoding": "none"}
    assert world.counted(COUNTER, subscription="acme-webhook", **labels) == 1


async def test_a_flood_is_not_looked_into(world: World) -> None:
    """So many looks a minute and subscription; what was left out is told by the next one."""
    with capture_logs() as lines:
        for _ in range(LOOKS_PER_MINUTE + 3):
            assert (await post(world, OTHER_WAY)).status == 401
        world.clock.advance(60)
        await post(world, OTHER_WAY)
    looked = [line for line in lines if line["event"] == "commissioning_looked"]
    assert len(looked) == LOOKS_PER_MINUTE + 1
    assert looked[-1]["left_out"] == 3


async def test_nobody_looks_without_commissioning(world: World) -> None:
    """Ordinary subscriptions, and callbacks that verify, cost no look."""
    with capture_logs() as lines:
        assert (await post(world, OFFICIAL)).status == 200
        world.registry.table = {SUBSCRIPTION_ID: SUBSCRIPTION}
        assert (await post(world, OTHER_WAY)).status == 401
    assert "commissioning_looked" not in {line["event"] for line in lines}


FLAT = orjson.dumps(
    {
        "subscriptionId": SUBSCRIPTION_ID,
        "trackingNumber": "9205599887766500042174",
        "eventCode": "OF",
        "eventTimestamp": "2026-05-14T08:10:00Z",
    }
)
SIGNED_FLAT = [(b"x-hmac", b64encode(hmac.digest(SECRET, FLAT, "sha256")))]


async def test_a_flat_body_of_a_legacy_subscription(world: World) -> None:
    """Signed over the whole body it is an update with the body as its original."""
    world.registry.table = {SUBSCRIPTION_ID: replace(SUBSCRIPTION, legacy=True)}
    assert (await post(world, SIGNED_FLAT, FLAT)).status == 200
    [update] = world.kafka.values(world.updates)
    assert update["original"].encode() == FLAT
    assert update["reported_at"] is None
    assert update["events"][0]["event_time"] is None
    assert (await post(world, OFFICIAL)).status == 200
    assert world.counted("usps_receiver_stale_callbacks_total") == 0


async def test_a_flat_body_needs_its_signature(world: World) -> None:
    """A wrong one is 401 and kept; and what would have matched is told."""
    world.registry.table = {SUBSCRIPTION_ID: replace(COMMISSIONED, legacy=True)}
    wrong = [(b"x-other", SIGNED_FLAT[0][1])]
    assert (await post(world, wrong, FLAT)).json["error"] == "signature_missing"
    [kept] = world.kafka.values(world.quarantine)
    assert kept["subscription_id"] == SUBSCRIPTION_ID
    labels = {"header": "other", "message": "raw-body", "encoding": "base64"}
    assert world.counted(COUNTER, subscription="acme-webhook", **labels) == 1


async def test_a_flat_body_of_several_pieces_is_kept(world: World) -> None:
    """Verified and unusable: 200, and in quarantine."""
    world.registry.table = {SUBSCRIPTION_ID: replace(SUBSCRIPTION, legacy=True)}
    one = orjson.loads(FLAT)
    body = orjson.dumps([one, {**one, "trackingNumber": "another"}])
    signature = b64encode(hmac.digest(SECRET, body, "sha256"))
    assert (await post(world, [(b"x-hmac", signature)], body)).status == 200
    [kept] = world.kafka.values(world.quarantine)
    assert (kept["reason"], kept["accepted"]) == ("payload_unreadable", True)


@pytest.mark.parametrize("table", [{SUBSCRIPTION_ID: SUBSCRIPTION}, {}])
async def test_a_flat_body_of_anybody_else_is_no_envelope(
    world: World, table: dict[str, KnownSubscription]
) -> None:
    """Only a subscription declared legacy may send one; nothing is kept of others."""
    world.registry.table = table
    answered = await post(world, SIGNED_FLAT, FLAT)
    assert (answered.status, answered.json["error"]) == (400, "not_an_envelope")
    assert not world.kafka.written


async def test_a_flat_body_that_says_its_time_may_be_stale() -> None:
    """Where stale callbacks are refused, one with an old timestamp of its own is."""
    async with running(World(timestamp_refuse_stale="true")) as world:
        world.registry.table = {SUBSCRIPTION_ID: replace(SUBSCRIPTION, legacy=True)}
        body = orjson.dumps(orjson.loads(FLAT) | {"timestamp": "2026-05-01T00:00:00Z"})
        signature = b64encode(hmac.digest(SECRET, body, "sha256"))
        answered = await post(world, [(b"x-hmac", signature)], body)
        assert (answered.status, answered.json["error"]) == (401, "timestamp_stale")
        assert (await post(world, SIGNED_FLAT, FLAT)).status == 200
