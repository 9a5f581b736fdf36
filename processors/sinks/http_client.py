"""Posts to one URL: no redirect, no proxy, no cookie, a bound on everything read back."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from processors.sinks.egress import AddressRefused, check_public
from schemas.errors import DeliveryFailed

# An answer's body is read only so that its connection can be used again.
MOST_BODY_BYTES: Final = 64 * 1024
IDLE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What is of interest in an answer."""

    status: int
    retry_after: str | None


class HttpFailed(DeliveryFailed):
    """No answer: timed_out, connection_failed, tls_failed, address_refused, answer_unreadable."""


class HttpClient:
    """Kept connections to one URL."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        connections: int,
        allow_private_addresses: bool,
    ) -> None:
        self._url = url
        connector = aiohttp.TCPConnector(
            limit=connections,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=None if allow_private_addresses else _public_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("accept", "accept-encoding"),
            headers={"user-agent": "scanwire"},
        )

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Sends one request. Raises `HttpFailed`."""
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = HttpAnswer(response.status, response.headers.get("retry-after"))
                await _read_away(response)
                return answer
        except TimeoutError:
            raise HttpFailed("timed_out") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError):
            raise HttpFailed("tls_failed") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise HttpFailed(_reason(error)) from None

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, AddressRefused) or isinstance(
        getattr(error, "os_error", None), AddressRefused
    ):
        return "address_refused"
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError | ValueError):
        return "answer_unreadable"
    return "connection_failed"


async def _read_away(response: aiohttp.ClientResponse) -> None:
    """The status decides; a body that is long, late or broken only costs the connection."""
    try:
        left = MOST_BODY_BYTES
        while left > 0 and not response.content.at_eof():
            left -= len(await response.content.read(left))
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError):
        left = 0
    if left <= 0:
        response.close()


def _public_socket(address: Any) -> socket.socket:  # noqa: ANN401 -- aiohttp's AddrInfoType
    """A socket for an address that was resolved; the last moment to refuse it."""
    family, kind, protocol, _, place = address
    check_public(place[0])
    return socket.socket(family, kind, protocol)
