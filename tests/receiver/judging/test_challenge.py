"""A challenge is answered where a setting says so, and never instead of a check."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from receiver.listening.answers import Answer
from tests.receiver.asgi import Answered, request
from tests.receiver.world import World, callback, running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A receiver that answers challenges."""
    async with running(World(answer_challenges="true")) as one:
        yield one


async def post(world: World, document: Any) -> Answered:
    """One request without a signature."""
    answered = await request(world.app, pieces=[orjson.dumps(document)])
    assert answered is not None
    return answered


async def test_a_challenge_comes_back(world: World) -> None:
    """200, JSON, the same text and nothing else; counted and logged, nothing written."""
    with capture_logs() as lines:
        answered = await post(world, {"challenge": "a-B_9 ~!", "type": "verification"})
    assert (answered.status, answered.json) == (200, {"challenge": "a-B_9 ~!"})
    assert answered.headers["content-type"] == "application/json"
    assert world.counted("usps_receiver_callbacks_total", outcome="challenge_answered") == 1
    assert [line["event"] for line in lines] == ["challenge_answered"]
    assert not world.kafka.written


async def test_challenges_are_off_by_default() -> None:
    """Without the setting a challenge is no envelope."""
    async with running(World()) as world:
        answered = await post(world, {"challenge": "abc"})
        assert (answered.status, answered.json["error"]) == (400, "not_an_envelope")


@pytest.mark.parametrize(
    "document",
    [
        {"challenge": "x" * 257},
        {"challenge": "a\nb"},
        {"challenge": "\u00e9"},
        {"challenge": "\x7f"},
        {"challenge": 7},
        {"challenge": None},
        {"challenge": {"a": "b"}},
        {"challenge": "abc", "payload": 7},
        {"challenge": "abc", "payload": None},
        ["challenge"],
        "challenge",
    ],
)
async def test_what_is_no_challenge_is_no_envelope(world: World, document: Any) -> None:
    """Too long, not printable ASCII, no text, or with a payload: 400 as ever."""
    answered = await post(world, document)
    assert (answered.status, answered.json["error"]) == (400, "not_an_envelope")


async def test_the_longest_challenge_comes_back(world: World) -> None:
    """256 characters."""
    assert (await post(world, {"challenge": "x" * 256})).json == {"challenge": "x" * 256}


async def test_a_callback_with_a_challenge_is_a_callback(world: World) -> None:
    """What has a payload is checked as ever: refused without a signature, published with it."""
    body, headers = callback()
    challenging = orjson.dumps(orjson.loads(body) | {"challenge": "abc"})
    answered = await request(world.app, pieces=[challenging])
    assert answered is not None
    assert (answered.status, answered.json["error"]) == (401, "signature_missing")
    answered = await request(world.app, headers=headers[-1:], pieces=[challenging])
    assert answered is not None
    assert answered.json == {"received": True}
    assert len(world.kafka.values(world.updates)) == 1


async def test_the_server_answers_challenges_too(world: World) -> None:
    """The way without ASGI gives the same answer."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    world.listener.intake.take_now(b'{"challenge":"abc"}', [], None, answered.set_result)
    answer = await answered
    assert answer.status_line == b"HTTP/1.1 200 OK\r\n"
    assert answer.rest.endswith(b'\r\n\r\n{"challenge":"abc"}')


@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(challenge=st.text(max_size=300))
async def test_any_challenge_has_an_answer(world: World, challenge: str) -> None:
    """The same text back, or 400; never anything else."""
    answered = await post(world, {"challenge": challenge.encode("utf-8", "replace").decode()})
    assert answered.status in {200, 400}
    assert answered.status == 400 or answered.json == {"challenge": challenge}
