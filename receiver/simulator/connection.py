"""One kept-alive HTTP/1.1 connection with one request at a time: small, because it is fast.

(aiohttp sends 3,500 requests/s from one core, this 15,000; the simulator must not be what
limits a load test.)
"""

import asyncio
from collections.abc import Callable
from typing import Final

import httptools

# Called once per request: the connection, the status (0: none came) and the body.
OnAnswer = Callable[["Connection", int, bytes], None]
_LARGEST_ANSWER: Final = 64 * 1024


class Connection(asyncio.Protocol):
    """Writes a request, reads its answer, says so; broken ones say status 0 once and are dead."""

    def __init__(self, on_answer: OnAnswer, timeout_seconds: float) -> None:
        self._on_answer = on_answer
        self._timeout_seconds = timeout_seconds
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._deadline: asyncio.TimerHandle | None = None
        self.retry_after_seconds = 0.0

    @property
    def usable(self) -> bool:
        """Open, and without a request under way."""
        return self._transport is not None and self._deadline is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: it is open."""
        self._transport = transport  # type: ignore[assignment]  # TCP transports are this kind

    def begin(self, request: bytes) -> None:
        """Sends a request; only when `usable`."""
        assert self._transport is not None
        self._body.clear()
        self.retry_after_seconds = 0.0
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._timeout_seconds, self.close)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes of the answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools': only Retry-After matters, and only in seconds."""
        if name.lower() == b"retry-after" and value.isdigit():
            self.retry_after_seconds = float(value[:6])

    def on_body(self, body: bytes) -> None:
        """httptools': part of the body."""
        if len(self._body) < _LARGEST_ANSWER:
            self._body += body

    def on_message_complete(self) -> None:
        """httptools': the answer is whole."""
        status = self._parser.get_status_code()
        keep = self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if not keep:
            self._drop()
        self._settle(status, bytes(self._body))

    def connection_lost(self, _: Exception | None) -> None:
        """asyncio's: it is gone; what was under way got no answer."""
        self._transport = None
        self._settle(0, b"")

    def close(self) -> None:
        """Ends it; a request under way gets no answer."""
        self._drop()
        self._settle(0, b"")

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _settle(self, status: int, body: bytes) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._on_answer(self, status, body)
