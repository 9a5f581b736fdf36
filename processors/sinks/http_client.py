"""Posts to one URL over kept connections: no redirect, no proxy, no cookie.

Does nothing but this one kind of request; measured beside aiohttp's client it takes a fraction
of the CPU, and delivery is what we exist for.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final
from urllib.parse import quote, urlsplit

from processors.sinks.egress import AddressRefused, Egress
from processors.sinks.http_connection import Connection, HttpAnswer, HttpFailed

# Shorter than what servers keep, so that few requests meet a connection that just closed.
IDLE_SECONDS: Final = 20.0
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


class HttpClient:
    """As many connections as there are requests at a time; its caller bounds those."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        allow_private_addresses: bool,
        authorities: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        parts = urlsplit(url)
        name = parts.hostname or ""
        tls = parts.scheme == "https"
        self._host = name if ":" in name else name.encode("idna").decode("ascii")
        self._egress = Egress(
            self._host,
            parts.port or (443 if tls else 80),
            allow_private_addresses=allow_private_addresses,
        )
        self._first_lines = _first_lines(url, self._host)
        self._timeout = timeout_seconds
        self._tls = (authorities or tls_context)() if tls else None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Sends one request. Raises `HttpFailed`."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        length = f"content-length: {len(body)}\r\n\r\n"
        request = b"".join((self._first_lines, lines.encode(), length.encode(), body))
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        while True:
            connection = self._take_idle(loop.time()) or await self._connected(until)
            try:
                return await connection.exchange(request, until - loop.time())
            except HttpFailed as error:
                # A kept connection may be closed the moment it is used again: then nobody
                # saw the request. If somebody did, its id makes the repeat harmless.
                stale = connection.used and connection.silent
                if not stale or error.reason != "connection_failed":
                    raise
            finally:
                self._give_back(connection, loop.time())

    async def close(self) -> None:
        """Cuts off every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._open:
            connection.close()

    def _take_idle(self, now: float) -> Connection | None:
        """The connection used last: what is not needed grows old and is closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and now - connection.idle_since < IDLE_SECONDS:
                return connection
            self._drop(connection)
        return None

    def _give_back(self, connection: Connection, now: float) -> None:
        if not connection.reusable:
            self._drop(connection)
            return
        connection.idle_since = now
        self._idle.append(connection)
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(IDLE_SECONDS, self._sweep_idle)

    def _sweep_idle(self) -> None:
        loop = asyncio.get_running_loop()
        old = loop.time() - IDLE_SECONDS
        kept = [one for one in self._idle if one.reusable and one.idle_since > old]
        for connection in set(self._idle).difference(kept):
            self._drop(connection)
        self._idle = kept
        self._sweep = loop.call_later(IDLE_SECONDS, self._sweep_idle) if kept else None

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()

    async def _connected(self, until: float) -> Connection:
        """A new connection, in time. Raises `HttpFailed`."""
        try:
            async with asyncio.timeout_at(until):
                connection = await self._connect(until)
        except TimeoutError:
            raise HttpFailed("timed_out") from None
        except AddressRefused:
            raise HttpFailed("address_refused") from None
        except ssl.SSLError:
            raise HttpFailed("tls_failed") from None
        except (OSError, UnicodeError):
            raise HttpFailed("connection_failed") from None
        self._open.add(connection)
        return connection

    async def _connect(self, until: float) -> Connection:
        opened = await self._egress.connect(until)
        name = None if self._tls is None else self._host
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, sock=opened, ssl=self._tls, server_hostname=name
            )
        except BaseException:
            opened.close()
            raise
        return connection


def _first_lines(url: str, host: str) -> bytes:
    """The request's first lines, the same every time."""
    parts = urlsplit(url)
    target = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        target = f"{target}?{quote(parts.query, safe=_PATH_SAFE + '?')}"
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return f"POST {target} HTTP/1.1\r\nhost: {shown}{port}\r\nuser-agent: scanwire\r\n".encode()


@cache
def tls_context() -> ssl.SSLContext:
    """The machine's authorities, names checked; one for all: reading them takes a while."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
