"""Access tokens: cached, renewed early and once, and refused in sentences that help."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.exchange import UspsResponse
from receiver.usps.oauth import read_tokens
from tests.receiver.usps.usps import CLIENT_ID, CLIENT_SECRET, Scripted, desk
from tests.schemas.usps.feed import JSON


async def test_a_token_is_asked_for_once_and_renewed_five_minutes_early() -> None:
    """Of eight hours it is used for all but five minutes; the scope is not named."""
    async with desk() as at:
        tokens = at.tokens
        first = await tokens.token("tracking")
        at.time.clock.advance(28799 - 301)
        assert await tokens.token("tracking") == first
        at.time.clock.advance(2)
        assert await tokens.token("tracking") != first
        assert at.usps.grants[0] == {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        assert len(at.usps.grants) == 2


@pytest.mark.parametrize(
    ("stated", "seconds"), [("28799", 28499.0), (60, 30.0), ("x", 300.0), (None, 300.0)]
)
async def test_a_lifetime_is_read_as_number_and_as_text(stated: Any, seconds: float) -> None:
    """A short one is used for half of it, an unreadable one for a few minutes."""
    async with desk() as at:
        at.usps.token_facts = {"expires_in": stated}
        tokens = at.tokens
        await tokens.token("tracking")
        at.time.clock.advance(seconds - 1)
        await tokens.token("tracking")
        assert len(at.usps.grants) == 1
        at.time.clock.advance(1)
        await tokens.token("tracking")
        assert len(at.usps.grants) == 2


async def test_a_crowd_shares_one_renewal() -> None:
    """Fifty who ask at once get the token of one call, also when the first of them gives up."""
    async with desk() as at:
        at.usps.gate.clear()
        tokens = at.tokens
        crowd = [asyncio.create_task(tokens.token("tracking")) for _ in range(50)]
        await at.usps.granting.wait()
        crowd[0].cancel()
        await asyncio.wait([crowd[0]])
        at.usps.gate.set()
        found = await asyncio.gather(*crowd[1:])
        assert len(set(found)) == 1
        assert len(at.usps.grants) == 2  # the cancelled one's, and theirs


async def test_wrong_credentials_are_told_and_cost_one_call() -> None:
    """The sentence names the account and what to correct, not the secret; a crowd asks once."""
    async with desk(secret="wrong-secret-0000000") as at:
        tokens = at.tokens
        crowd = await asyncio.gather(
            *(tokens.token("tracking") for _ in range(10)), return_exceptions=True
        )
        assert len(at.usps.grants) == 1
        for error in crowd:
            assert isinstance(error, UspsRefused)
            assert error.reason == "invalid_client"
            assert "account main: correct its client_id and client_secret" in error.detail
            assert "wrong-secret" not in f"{error!r}{error.detail}"
            assert CLIENT_ID not in error.detail
        at.time.clock.advance(61)
        with pytest.raises(UspsRefused):
            await tokens.token("tracking")
        assert len(at.usps.grants) == 2


async def test_a_spike_arrest_is_waited_for() -> None:
    """429 with Retry-After, then 503, then the token."""
    async with desk() as at:
        at.usps.token_scripted = [Scripted(429, headers={"Retry-After": "7"}), Scripted(503)]
        await at.tokens.token("tracking")
        assert at.time.slept[0] == 7.0
        assert len(at.usps.grants) == 3


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_refresh_token"])
async def test_a_dead_grant_is_told(code: str) -> None:
    """The merchant must authorize again; the token is in no text."""
    async with desk() as at:
        body = orjson.dumps({"error": code, "error_description": "r3fr3sh-t0ken is expired"})
        at.usps.token_scripted = [Scripted(400, body)]
        with pytest.raises(UspsRefused) as refused:
            await at.endpoint.grant("refresh_token", refresh_token="r3fr3sh-t0ken")
        assert (refused.value.reason, refused.value.retriable) == ("invalid_grant", False)
        assert "must authorize again" in refused.value.detail
        assert "r3fr3sh" not in repr(refused.value)


async def test_a_code_is_not_sent_twice() -> None:
    """A lost answer to a code loses the code: trying again would only look like theft."""
    async with desk() as at:
        at.usps.token_scripted = [Scripted(502)]
        with pytest.raises(UspsUnavailable):
            await at.endpoint.grant("authorization_code", code="c", redirect_uri="https://x")
        assert len(at.usps.grants) == 1


@pytest.mark.parametrize("scope", ["labels", "", "trackings"])
async def test_a_narrow_scope_is_warned_of_once(scope: str) -> None:
    """The token is used all the same: USPS decides."""
    async with desk() as at:
        at.usps.token_facts["scope"] = scope
        tokens = at.tokens
        with capture_logs() as logs:
            await tokens.token("tracking")
            await tokens.token("tracking")
        assert [one["event"] for one in logs] == ["token_scope_missing"]


@given(
    st.binary(max_size=100)
    | JSON.map(orjson.dumps)
    | st.fixed_dictionaries(
        {},
        optional={
            "access_token": JSON | st.just("t"),
            "token_type": JSON | st.just("Bearer"),
            "expires_in": JSON | st.text(),
            "scope": JSON,
            "refresh_token": JSON | st.just("r"),
            "refresh_token_expires_in": JSON,
        },
    ).map(orjson.dumps)
)
def test_any_token_answer_is_read_or_refused(body: bytes) -> None:
    """Never another exception, never a lifetime that cannot be counted with."""
    try:
        tokens = read_tokens(UspsResponse(200, {}, body))
    except UspsUnavailable:
        return
    assert 0 < tokens.expires_in_seconds <= 400 * 86_400
    assert tokens.access_token.get_secret_value().isascii()
