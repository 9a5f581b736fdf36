"""The client of USPS's APIs: what is tried again, what is refused, and what is told of it."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from receiver.usps import exchange as exchanges
from receiver.usps.account import Account
from receiver.usps.client import choose_account
from receiver.usps.error_bodies import read_error, read_error_document
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.exchange import UspsRequest, UspsResponse
from receiver.usps.redaction import redact
from receiver.usps.refusal import refusal
from receiver.usps.timing import read_retry_after
from schemas.errors import OperatorError
from schemas.registry.entities import UspsAccount
from schemas.registry.index import Registry
from schemas.secrets import Secrets
from tests.receiver.fakes import FakeClock
from tests.receiver.usps.usps import CLIENT_SECRET, Scripted, desk, error_body
from tests.schemas.usps.feed import JSON

SUBSCRIPTIONS: dict[str, Any] = {"api": "subscriptions"}


async def test_a_call_carries_the_token_and_comes_back_whole() -> None:
    """Status, headers and body are USPS's; the token is the account's."""
    async with desk() as at:
        answer = await at.http.request(
            "GET", "/subscriptions", api="subscriptions", params={"MID": "912345678"}
        )
        assert (answer.status, answer.json()) == (200, {"well": True})
        assert answer.headers["content-TYPE"].startswith("application/json")
        assert at.usps.headers[0]["Authorization"] == "Bearer token-1"
        path = "/subscriptions-tracking/v3r2/subscriptions?MID=912345678"
        assert at.usps.requests == [("GET", path)]
        assert at.calls("subscriptions", "2xx") == at.calls("oauth", "2xx") == 1


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    """401 gets a new token and one more try; another 401 is the answer."""
    async with desk() as at:
        http = at.http
        at.usps.revoked = {"token-1"}
        assert (await http.request("GET", "/subscriptions", **SUBSCRIPTIONS)).status == 200
        assert len(at.usps.grants) == 2
        at.usps.revoked |= {"token-2", "token-3"}
        with pytest.raises(UspsRefused) as refused:
            await http.request("GET", "/subscriptions", **SUBSCRIPTIONS)
        assert (refused.value.reason, refused.value.status) == ("unauthorized", 401)
        assert len(at.usps.grants) == 3


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed(status: int) -> None:
    """Seconds and dates are waited for, whatever the method: nothing was carried out."""
    async with desk() as at:
        date = "Thu, 14 May 2026 15:44:20 GMT"  # 130 s from the clock's start
        at.usps.scripted = [
            Scripted(status, headers={"Retry-After": "30"}),
            Scripted(status, headers={"Retry-After": date}),
        ]
        await at.http.request("POST", "/subscriptions", json={}, **SUBSCRIPTIONS)
        assert at.time.slept == [30.0, 100.0]


@pytest.mark.parametrize("said", ["999999999999", "-5", "soon", "", "Thu, 99 May 2026", "٣"])
async def test_a_retry_after_out_of_bounds_is_bounded(said: str) -> None:
    """An hour at most, and what cannot be read is not obeyed but backed off from."""
    async with desk() as at:
        at.usps.scripted = [Scripted(429, headers={"Retry-After": said})] * 2
        await at.http.request("GET", "/subscriptions", **SUBSCRIPTIONS)
        assert all(1.0 <= seconds <= 3600.0 for seconds in at.time.slept)
        if said != "999999999999":
            assert at.time.slept == [7.5, 15.0]


async def test_what_fails_again_and_again_is_given_up() -> None:
    """After the last attempt the error says that later it may work."""
    async with desk() as at:
        at.usps.scripted = [Scripted(503)] * 9
        with pytest.raises(UspsUnavailable) as refused:
            await at.http.request("GET", "/subscriptions", **SUBSCRIPTIONS)
        assert refused.value.retriable
        assert len(at.usps.requests) == 5
        assert at.time.slept == sorted(at.time.slept)


async def test_a_creation_is_not_repeated_when_nobody_knows_its_outcome() -> None:
    """500 for a POST may have been carried out; for a PUT it does not matter."""
    async with desk() as at:
        at.usps.scripted = [Scripted(500)]
        with pytest.raises(UspsUnavailable):
            await at.http.request("POST", "/subscriptions", json={}, **SUBSCRIPTIONS)
        assert len(at.usps.requests) == 1
        at.usps.scripted = [Scripted(502)]
        await at.http.request("PUT", "/subscriptions/1", json={}, **SUBSCRIPTIONS)
        assert len(at.usps.requests) == 3


async def test_redirects_are_refused() -> None:
    """Nobody sends our token elsewhere."""
    async with desk() as at:
        at.usps.scripted = [Scripted(302, headers={"Location": "http://127.0.0.1:9/x"})]
        with pytest.raises(UspsRefused) as refused:
            await at.http.request("GET", "/subscriptions", **SUBSCRIPTIONS)
        assert refused.value.reason == "unexpected_status"


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is read up to a limit."""
    monkeypatch.setattr(exchanges, "MAX_ANSWER_BYTES", 1000)
    async with desk() as at:
        at.usps.scripted = [Scripted(200, b"x" * 100_000)]
        with pytest.raises(UspsUnavailable) as refused:
            await at.http.request("POST", "/subscriptions", json={}, **SUBSCRIPTIONS)
        assert refused.value.reason == "answer_too_large"


async def test_nobody_there_is_an_error_of_ours() -> None:
    """A refused connection, and an answer that is no HTTP."""

    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/9.9 hello\r\n\r\n\x00")
        writer.close()

    async with desk() as at, await asyncio.start_server(garbage, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/", "http://127.0.0.1:1/"):
            request = UspsRequest("GET", url, "GET test")
            with pytest.raises(UspsUnavailable) as refused:
                await exchanges.exchange(at.session, request)
            assert refused.value.reason == "no_answer"


async def test_an_answer_in_slow_drops_is_not_waited_for() -> None:
    """The whole exchange has one deadline."""
    never = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")
        await never.wait()
        writer.close()

    timeout = aiohttp.ClientTimeout(total=0.2)
    async with (
        await asyncio.start_server(silent, "127.0.0.1") as server,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UspsUnavailable) as refused:
            await exchanges.exchange(session, UspsRequest("GET", f"http://127.0.0.1:{port}/", "x"))
        assert refused.value.reason == "timed_out"
        never.set()


async def test_no_secret_is_in_errors_and_logs() -> None:
    """What USPS repeats of ours stays out of every text; a program can still search it."""
    secret = "sample-only-secret-0123456789abc"
    wanted = "0190aa11-2b3c-7d4e-8f50-61728394a5b6"
    said = (
        f"Duplicate subscription {wanted} with secret {secret} for ops@acme.example "
        f"token-1 {CLIENT_SECRET} /tracking/9205599887766500042174"
    )
    async with desk() as at:
        at.usps.scripted = [Scripted(503, error_body("503", said))]
        at.usps.scripted.append(Scripted(400, error_body("400", said, code="000000", detail=said)))
        body = {"secret": secret, "listenerURL": "https://hooks.acme.example/usps"}
        with capture_logs() as logs, pytest.raises(UspsRefused) as refused:
            await at.http.request("POST", "/subscriptions", json=body, **SUBSCRIPTIONS)
    error = refused.value
    texts = f"{error} {error!r} {error.detail} {error.args} {error.said} {logs}"
    for one in (secret, wanted, "acme", "token-1", CLIENT_SECRET, "9205599887766500042174"):
        assert one not in texts
    assert wanted in error.said.get_secret_value()
    assert error.codes[:2] == ("400", "000000")
    assert error.detail.startswith("USPS refused POST subscriptions /subscriptions with 400: Dup")


def test_hosts_are_those_of_the_environment() -> None:
    """Production and TEM have theirs; a simulator says its own."""
    secrets = Secrets({"ID": "id", "SECRET": "secret"}, str)
    common = {"id": "main", "client_id": "env:ID", "client_secret": "env:SECRET"}
    for environment, more, url in (
        ("production", {}, "https://apis.usps.com/tracking/v3r2/tracking"),
        ("tem", {}, "https://apis-tem.usps.com/tracking/v3r2/tracking"),
        (
            "simulator",
            {"base_url": "http://127.0.0.1:1/"},
            "http://127.0.0.1:1/tracking/v3r2/tracking",
        ),
    ):
        declared = UspsAccount.model_validate({**common, "environment": environment, **more})
        account = Account.of(declared, secrets)
        assert account.url("tracking", "/tracking") == url
        assert "secret" not in repr(account).replace("client_secret", "")


def test_the_account_is_named_or_the_only_one() -> None:
    """With several, or none, the sentence says what to do."""

    def account(name: str) -> UspsAccount:
        text = {"environment": "tem", "client_id": "env:ID", "client_secret": "env:SECRET"}
        return UspsAccount.model_validate({"id": name, **text})

    both = Registry([account("main"), account("other")])
    assert choose_account(Registry([account("main")]), None).id == "main"
    assert choose_account(both, "other").id == "other"
    for registry, wanted, text in (
        (both, None, "--account, one of those that the registry has: main, other"),
        (both, "third", "main, other"),
        (Registry(), None, "registry apply FILE"),
    ):
        with pytest.raises(OperatorError) as error:
            choose_account(registry, wanted)
        assert text in error.value.detail


def assert_refused(status: int, body: bytes) -> None:
    """The error for it is one of ours, whole, with plain codes and a short text."""
    request = UspsRequest("GET", "http://x", "GET x", json={"secret": "S" * 32})
    error = refusal(request, UspsResponse(status, {}, body), FakeClock().now(), ["token"])
    assert isinstance(error, UspsRefused)
    assert error.retriable == (status == 429 or status >= 500)
    assert len(error.detail) < 300
    assert all(code.isascii() and len(code) <= 40 for code in error.codes)


@given(st.integers(100, 599), st.binary(max_size=200) | JSON.map(orjson.dumps))
def test_any_error_body_is_a_refusal(status: int, body: bytes) -> None:
    """Whatever USPS or a proxy answers, it is one error and no other."""
    assert_refused(status, body)


@given(
    st.integers(100, 599),
    st.fixed_dictionaries(
        {},
        optional={
            "error": st.fixed_dictionaries(
                {},
                optional={
                    "code": JSON,
                    "message": JSON,
                    "errors": JSON
                    | st.lists(
                        st.dictionaries(
                            st.sampled_from(["status", "code", "title", "detail", "source"]), JSON
                        ),
                        max_size=3,
                    ),
                },
            )
            | st.text(max_size=30),
            "error_description": JSON,
        },
    ),
)
def test_any_body_of_nearly_the_right_shape_is_a_refusal(status: int, body: object) -> None:
    """Each part may be missing or of another type."""
    read_error_document(body)
    assert_refused(status, orjson.dumps(body))


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ \w+ \d+ [\d:]+ ?\w*"))
def test_any_retry_after_is_bounded_or_not_obeyed(text: str) -> None:
    """Within a second and an hour, or not read at all."""
    seconds = read_retry_after(text, FakeClock().now())
    assert seconds is None or 1.0 <= seconds <= 3600.0


def test_both_error_shapes_are_read() -> None:
    """The APIs' shape and that of OAuth."""
    api = read_error(error_body("401", "No", code="000000", title="invalid_oauth_scope"))
    assert api.codes == ("401", "000000", "invalid_oauth_scope")
    bare = read_error(b'{"error": {"code": 429, "errors": [{"source": "x"}, 5, null]}}')
    assert (bare.codes, bare.text) == (("429",), "x")
    told = read_error(b'{"error": "invalid_client", "error_description": "who?"}')
    assert told.codes == ("invalid_client",)
    assert told.text == "invalid_client who?"
    assert read_error(b"<html>").codes == read_error(b"").codes == ()


def test_redaction_keeps_plain_words() -> None:
    """An operator can read it; numbers, addresses and paths are gone."""
    text = redact("Insufficient scope. Quota of 60 calls (sample) for /tracking/92055 x@y.example")
    assert text == "Insufficient scope. Quota of 60 calls (sample) for ***"
