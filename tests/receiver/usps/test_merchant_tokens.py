"""Merchants' tokens: kept in a file of their own, refreshed daily, stopped when they are dead."""

import fcntl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deploy.broker import LocalBroker
from receiver.program import Tools
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.merchant_tokens import MerchantTokens, is_due, refresh_file, seconds_left
from receiver.usps.token_keeping import TokenKeeping
from schemas.clock import rfc3339
from schemas.errors import OperatorError
from schemas.kafka import KafkaOptions
from schemas.metrics import UspsMetrics
from schemas.registry.entities import MerchantAccessToken, TokenState, UspsAccount
from schemas.registry.index import Registry
from schemas.registry.observed import ObservedToken
from schemas.secrets import Secrets
from schemas.settings import Settings
from tests.receiver.fakes import FakeClock
from tests.receiver.usps.post import post_at
from tests.receiver.usps.usps import CLIENT_ID, CLIENT_SECRET, Desk, Scripted, desk

REDIRECT = "https://shipfast.example/usps"


class Observed:
    """The observed topic, and the registry that follows it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.seen: list[ObservedToken] = []

    async def observe(self, token_id: str, seen: ObservedToken) -> None:
        self.seen.append(seen)
        self.registry.observe_token(token_id, seen)


def declared(file: Path, **changed: Any) -> MerchantAccessToken:
    """A token that is ours to keep."""
    return MerchantAccessToken.model_validate(
        {
            "id": "acme-shipfast",
            "merchant": "acme",
            "platform": "shipfast",
            "state": "active",
            "account": "main",
            "refresh_token": f"file:{file}",
            **changed,
        }
    )


class Bench:
    """What keeps tokens, between a fake USPS and an observed topic."""

    def __init__(self, at: Desk, directory: Path) -> None:
        self.at = at
        self.file = directory / "secrets" / "refresh"
        self.token = declared(self.file)
        self.observed = Observed()
        self.tokens = MerchantTokens(self.observed, at.time.clock, directory)

    async def authorize(self) -> ObservedToken:
        """With a good code."""
        self.at.usps.merchant_grants = {"the-code"}
        return await self.tokens.authorize(self.token, self.at.endpoint, "the-code", REDIRECT)

    async def refresh(self) -> ObservedToken:
        """With what was seen last."""
        seen = self.observed.registry.observed_tokens.get(self.token.id)
        return await self.tokens.refresh(self.token, self.at.endpoint, seen)


async def test_a_code_becomes_a_kept_token(tmp_path: Path) -> None:
    """The refresh token is in its file, for its owner only; the platform's right is active."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        at.usps.token_facts["refresh_token_expires_in"] = "604799"
        seen = await bench.authorize()
        assert bench.file.read_text() == "refresh-1"
        assert bench.file.stat().st_mode & 0o777 == 0o600
        assert [one.name for one in bench.file.parent.iterdir()] == ["refresh"]
        assert seen.state is TokenState.ACTIVE
        assert seconds_left(seen, at.time.clock.now()) == 604_799
        assert at.usps.grants[0]["redirect_uri"] == REDIRECT
        assert at.usps.grants[0]["grant_type"] == "authorization_code"


async def test_each_refresh_keeps_the_newest(tmp_path: Path) -> None:
    """A new refresh token replaces the old one; without a new one the old one stays."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        await bench.authorize()
        await bench.refresh()
        assert bench.file.read_text() == "refresh-2"
        at.usps.rotates = False
        await bench.refresh()
        assert bench.file.read_text() == "refresh-2"
        assert [one["refresh_token"] for one in at.usps.grants[1:]] == ["refresh-1", "refresh-2"]


@pytest.mark.parametrize(("days", "state"), [(2, "revoked"), (8, "expired")])
async def test_a_dead_token_is_told_and_left(tmp_path: Path, days: int, state: str) -> None:
    """invalid_grant: its rights end, it is not due any more, and the sentence says what to do."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        await bench.authorize()
        at.usps.merchant_grants = set()
        at.time.clock.advance(days * 86_400)
        with pytest.raises(UspsRefused) as refused:
            await bench.refresh()
        assert "must authorize again" in refused.value.detail
        seen = bench.observed.seen[-1]
        assert seen.state.value == state
        assert not is_due(seen, at.time.clock.now() + timedelta(days=30))


async def test_nothing_is_asked_for_that_could_not_be_kept(tmp_path: Path) -> None:
    """A token is given once: without room for it the old one stays good."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        bench.file.parent.write_text("a file where a folder should be")
        with pytest.raises(OperatorError) as error:
            await bench.authorize()
        assert error.value.reason == "refresh_token_unwritable"
        bench.token = declared(tmp_path / "absent")
        with pytest.raises(OperatorError) as error:
            await bench.refresh()
        assert "tokens authorize acme-shipfast" in error.value.detail
        assert at.usps.grants == []


async def test_one_process_refreshes_at_a_time(tmp_path: Path) -> None:
    """Two at once would each end the other's token."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        await bench.authorize()
        with (tmp_path / "usps-token-acme-shipfast.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(OperatorError) as error:
                await bench.refresh()
        assert error.value.reason == "token_busy"
        assert len(at.usps.grants) == 1


def test_what_is_not_ours_to_keep(tmp_path: Path) -> None:
    """Without account or file, or declared revoked."""
    assert refresh_file(declared(tmp_path)) == tmp_path
    for changed in ({"account": None}, {"refresh_token": None}, {"state": "revoked"}):
        assert refresh_file(declared(tmp_path, **changed)) is None
    with pytest.raises(ValueError, match="rewritten by us"):
        declared(tmp_path, refresh_token="env:TOKEN")


async def test_a_receiver_keeps_it_alive(tmp_path: Path) -> None:
    """Daily, with the time that is left as a metric; USPS away: again later; dead: never."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        await bench.authorize()
        registry, clock = bench.observed.registry, at.time.clock
        registry.put(bench.token)
        registry.put(
            UspsAccount.model_validate(
                {
                    "id": "main",
                    "environment": "simulator",
                    "base_url": at.account.base_url,
                    "client_id": "env:ID",
                    "client_secret": "env:SECRET",
                }
            )
        )
        settings = Settings.model_validate(
            {"state_directory": tmp_path / "state", "usps_calls_per_hour": 1_000_000}
        )
        secrets = Secrets({"ID": CLIENT_ID, "SECRET": CLIENT_SECRET}, str)
        samples = CollectorRegistry()
        tools = Tools(settings, secrets, KafkaOptions(settings), clock, samples)
        keeping = TokenKeeping(tools, lambda: registry, bench.observed, UspsMetrics(samples))

        async def grants_after(hours: float) -> int:
            clock.advance(hours * 3600)
            await keeping.look()
            return len(at.usps.grants) - 1

        def sample(name: str) -> float | None:
            return samples.get_sample_value(name, {"token": "acme-shipfast"})

        assert await grants_after(23) == 0
        assert sample("usps_merchant_token_seconds_left") == 604_799 - 23 * 3600
        assert await grants_after(1.1) == 1
        assert await grants_after(0.1) == 1
        at.usps.token_scripted = [Scripted(400, b'{"error": "invalid_request"}')]
        assert await grants_after(24) == 2
        assert await grants_after(0.1) == 2
        assert await grants_after(0.2) == 3
        at.usps.merchant_grants = set()
        assert await grants_after(25) == 4
        assert await grants_after(25) == 4
        assert sample("usps_merchant_token_refused") == 1.0


async def test_usps_away_is_no_dead_token(tmp_path: Path) -> None:
    """503 to the end: nothing is told of the token, and it stays as it was."""
    async with desk() as at:
        bench = Bench(at, tmp_path)
        await bench.authorize()
        at.usps.token_scripted = [Scripted(503)] * 9
        with pytest.raises(UspsUnavailable):
            await bench.refresh()
        assert bench.file.read_text() == "refresh-1"
        assert [one.state for one in bench.observed.seen] == [TokenState.ACTIVE]


def test_a_token_of_which_nothing_is_known_is_due() -> None:
    """And one that was seen yesterday."""
    now = FakeClock().now()
    seen = ObservedToken(state=TokenState.ACTIVE, expires_at=None, observed_at=rfc3339(now))
    assert is_due(None, now)
    assert not is_due(seen, now + timedelta(hours=23))
    assert is_due(seen, now + timedelta(hours=24))
    assert seconds_left(seen, now) is None


async def test_tokens_as_operators_keep_them(
    broker: LocalBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """authorize, list, refresh, and a dead one: what is seen is in force for all programs."""
    file = tmp_path / "refresh"
    more = (
        "merchant_access_tokens:\n  - {id: acme-fast, merchant: acme, platform: acme, "
        f'state: issued, account: main, refresh_token: "file:{file}"}}\n'
    )
    async with post_at(broker, topic_prefix, tmp_path, more) as post:
        post.usps.merchant_grants = {"the-code"}
        authorize = ("tokens", "authorize", "acme-fast", "--redirect-uri", REDIRECT)
        done = await post.run(*authorize, given=b"the-code\n")
        assert done.code == 0, done.err
        assert "acme-fast is active" in done.out
        post.usps.merchant_grants = set()
        refused = await post.run("tokens", "refresh", "acme-fast")
        assert (refused.code, refused.out) == (1, "0 refreshed\n")
        assert "must authorize again" in refused.err
        (row,) = (await post.run("tokens", "list", "--json")).document["tokens"]
        assert (row["state"], row["kept"], row["due"]) == ("revoked", True, False)
        assert row["seconds_left"] > 600_000
        texts = done.out + done.err + refused.err
        assert not any(one in texts for one in ("the-code", "refresh-1", CLIENT_SECRET))
