"""Whatever bytes come, the listener has a defined answer, and nothing that USPS signed is lost."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from receiver.listening.answers import ANSWERS
from tests.receiver.asgi import Answered, request
from tests.receiver.world import World, callback, running


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: st.text() | JSON
        for name in ("subscriptionId", "subscriptionType", "timestamp", "payload")
    },
)
BODIES = (
    st.binary(max_size=400)
    | JSON.map(lambda value: json.dumps(value).encode())
    | FIELDS.map(lambda value: json.dumps(value).encode())
)
HEADERS = st.lists(
    st.tuples(st.sampled_from([b"x-hmac", b"hmac-header", b"x-other"]), st.binary(max_size=60)),
    max_size=3,
)
QUIET = hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUIET
@given(body=BODIES, headers=HEADERS)
async def test_any_bytes_get_a_defined_answer(
    world: World, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Whatever comes, the answer is one of the contract's, and never a 5xx."""
    answered = await post(world, body, headers)
    assert answered.status in {200, 400, 401}
    assert answered.status == 200 or answered.json["error"] in ANSWERS


@QUIET
@given(payload=JSON | st.fixed_dictionaries({"trackingNumber": st.text(), "trackingEvents": JSON}))
async def test_any_signed_payload_is_accepted(world: World, payload: Any) -> None:
    """Whatever USPS signs is answered 200: published or quarantined, never lost."""
    before = len(world.kafka.written)
    text = json.dumps(payload)  # orjson would not write integers of any size
    assert (await post(world, *callback(text))).status == 200
    assert len(world.kafka.written) == before + 1


@pytest.mark.parametrize("depth", [300, 3_000])
async def test_nested_payload_is_accepted(world: World, depth: int) -> None:
    """However deep a signed payload nests, it is answered 200 and kept."""
    nested = f'{{"trackingNumber": "A", "x": {"[" * depth}{"]" * depth}}}'
    assert (await post(world, *callback(nested))).status == 200
    assert len(world.kafka.written) == 1
