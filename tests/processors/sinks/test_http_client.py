"""Our own HTTP client: whatever the other side sends, one status or one error, in time."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import pytest

from processors.sinks.http_client import HttpClient
from processors.sinks.http_connection import MOST_ANSWER_BYTES, HttpFailed
from tests.processors.sinks.hostile_answers import ANSWERS, OK
from tests.processors.sinks.hostile_server import (
    CERTIFICATE,
    Answer,
    HostileServer,
    floods,
    hostile_server,
    says,
)

TIMEOUT_SECONDS = 0.5


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """A server that says 200 unless told otherwise."""
    async with hostile_server() as server:
        yield server


@pytest.fixture
async def client(server: HostileServer) -> AsyncIterator[HttpClient]:
    """A client of that server."""
    client = HttpClient(server.url, timeout_seconds=TIMEOUT_SECONDS, allow_private_addresses=True)
    yield client
    await client.close()


async def outcome(client: HttpClient) -> int | str:
    """The status, or the reason why there is none."""
    try:
        return (await client.post(b"{}", {"webhook-id": "x"})).status
    except HttpFailed as error:
        return error.reason


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_hostile_answers(
    server: HostileServer, client: HttpClient, answer: Answer, expected: int | str
) -> None:
    """A status as soon as it is certain, else one slug, within the time-out; then it works on."""
    server.answer = answer
    async with asyncio.timeout(TIMEOUT_SECONDS + 1.0):
        assert await outcome(client) == expected
    server.answer = says(OK)
    assert await outcome(client) == 200


async def test_a_request_is_what_the_url_and_headers_say(server: HostileServer) -> None:
    """One POST, the target as the URL has it, our headers, the length, the body."""
    url = f"http://127.0.0.1:{server.port}/a b/ü?x=1&y=%20z"
    client = HttpClient(url, timeout_seconds=1, allow_private_addresses=True)
    await client.post(b'{"a":1}', {"webhook-id": "1"})
    await client.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a%20b/%C3%BC?x=1&y=%20z HTTP/1.1",
        b"host: 127.0.0.1:%d" % server.port,
        b"user-agent: scanwire",
        b"webhook-id: 1",
        b"content-length: 7",
    ]
    assert body == b'{"a":1}'


async def test_connections_are_kept_and_no_more_than_needed(
    server: HostileServer, client: HttpClient
) -> None:
    """Requests one after the other share one connection; at the same time they do not."""
    for _ in range(5):
        await outcome(client)
    assert server.connections == 1
    await asyncio.gather(*(outcome(client) for _ in range(4)))
    assert server.connections == 4


async def test_a_closed_kept_connection_costs_no_attempt(
    server: HostileServer, client: HttpClient
) -> None:
    """A server may close idle connections at any time; the request goes on a new one."""
    assert await outcome(client) == 200
    server.drop_connections()
    assert await outcome(client) == 200
    assert server.connections == 2


async def test_a_connection_that_closes_on_reuse_is_replaced(
    server: HostileServer, client: HttpClient
) -> None:
    """Closed in the moment of its second use, without a byte: the request is made again."""
    assert await outcome(client) == 200
    server.answer = closes_unless_fresh(server)
    assert await outcome(client) == 200
    assert server.connections == 2


def closes_unless_fresh(server: HostileServer) -> Answer:
    """Closes the first connection when it is used again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if server.connections == 1:
            writer.close()
        else:
            await says(OK)(reader, writer)

    return answer


async def test_connection_close_is_obeyed(server: HostileServer, client: HttpClient) -> None:
    """A connection that the server wants closed is not used again."""
    server.answer = says(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    assert [await outcome(client) for _ in range(3)] == [200, 200, 200]
    assert server.connections == 3


async def test_retry_after_is_read_from_the_head_alone(
    server: HostileServer, client: HttpClient
) -> None:
    """Not from an interim answer, and not from a trailer."""
    server.answer = says(
        b"HTTP/1.1 103 Early\r\nretry-after: 1\r\n\r\n"
        b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\nretry-after: 2\r\n\r\n"
    )
    assert (await client.post(b"", {})).retry_after is None
    server.answer = says(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n")
    assert (await client.post(b"", {})).retry_after == "7"


async def test_what_is_read_is_bounded(server: HostileServer, client: HttpClient) -> None:
    """An endless answer is cut off soon after the bound, not at the time-out."""
    server.answer = floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * MOST_ANSWER_BYTES)
    async with asyncio.timeout(TIMEOUT_SECONDS / 2):
        assert await outcome(client) == 200


async def test_private_addresses_are_refused_at_connect(server: HostileServer) -> None:
    """By address, whatever the name says; nothing is sent."""
    for host in ("127.0.0.1", "localhost"):
        url = f"http://{host}:{server.port}/"
        client = HttpClient(url, timeout_seconds=1, allow_private_addresses=False)
        assert await outcome(client) == "address_refused"
        await client.close()
    assert server.connections == 0


def trusting() -> ssl.SSLContext:
    """Trusts the test's certificate."""
    return ssl.create_default_context(cafile=CERTIFICATE)


@pytest.mark.parametrize(
    ("host", "authorities", "expected"),
    [
        ("localhost", trusting, 200),
        ("127.0.0.1", trusting, 200),
        ("localhost", None, "tls_failed"),
        ("ip6-localhost.invalid", trusting, "connection_failed"),
    ],
)
async def test_certificates_are_verified(
    host: str, authorities: Callable[[], ssl.SSLContext] | None, expected: int | str
) -> None:
    """An unknown authority ends the connection before a byte of the request."""
    async with hostile_server(tls=True) as server:
        client = HttpClient(
            f"https://{host}:{server.port}/",
            timeout_seconds=5,
            allow_private_addresses=True,
            authorities=authorities,
        )
        assert await outcome(client) == expected
        assert bool(server.requests) is (expected == 200)
        await client.close()


async def test_plain_http_on_a_tls_port_is_told(server: HostileServer) -> None:
    """A URL with the wrong scheme fails as TLS."""
    client = HttpClient(
        f"https://127.0.0.1:{server.port}/", timeout_seconds=2, allow_private_addresses=True
    )
    assert await outcome(client) in {"tls_failed", "timed_out"}
    await client.close()
