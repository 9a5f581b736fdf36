"""One kept connection to a merchant: a request out, its answer's status back.

Whatever the other side sends is bounded in bytes and in time; llhttp, which parses it, is
strict by default.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import httptools

from schemas.errors import DeliveryFailed

# Of one answer, its head included. Only the status matters: what is longer is cut off.
MOST_ANSWER_BYTES: Final = 64 * 1024
# 1xx are said before the answer.
FIRST_FINAL_STATUS: Final = 200


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What is of interest in an answer."""

    status: int
    retry_after: str | None


class HttpFailed(DeliveryFailed):
    """No answer: timed_out, connection_failed, tls_failed, address_refused, answer_unreadable."""


class Connection(asyncio.Protocol):
    """One exchange at a time. Most methods are callbacks of the transport and the parser."""

    def __init__(self) -> None:
        self.reusable = True  # open, and nothing of an earlier answer is to come
        self.used = False  # had a whole answer before
        self.idle_since = 0.0
        self._transport: Any = None
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._head_complete = False
        self._complete = False
        self._retry_after: str | None = None
        self._parser = httptools.HttpResponseParser(self)

    def exchange(self, request: bytes, seconds: float) -> "asyncio.Future[HttpAnswer]":
        """Sends a request; in that time the future ends with the answer or `HttpFailed`."""
        loop = asyncio.get_running_loop()
        answer = self._answer = loop.create_future()
        self._start_answer()
        self._timer = loop.call_later(seconds, self._end, "timed_out")
        if self.reusable:
            self.reusable = False
            self._transport.write(request)
        else:
            self._end("connection_failed")
        return answer

    @property
    def silent(self) -> bool:
        """Whether nothing came in answer to the last request."""
        return self._received == 0

    def close(self) -> None:
        """Cuts it off, also amid an answer."""
        self.reusable = False
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parses; where that cannot go on, the status decides if it is known."""
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end("answer_unreadable")
            return
        if self._received > MOST_ANSWER_BYTES and not self._complete:
            self._end("answer_unreadable")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Closed, by whomever; an answer without a length ends this way."""
        self._end("connection_failed")

    def on_message_begin(self) -> None:
        """A second answer to one request: whatever it is, it is not used."""
        if self._complete:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps the one header of interest."""
        if not self._head_complete and name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The status is known."""
        self._head_complete = True

    def on_message_complete(self) -> None:
        """The answer is whole, or was an interim one."""
        if self._complete:
            return
        if self._parser.get_status_code() < FIRST_FINAL_STATUS:
            self._head_complete = False
            self._retry_after = None
            return
        self._complete = True
        self.reusable = self.used = self._parser.should_keep_alive()
        if self.reusable:
            self._tell()
        else:
            self._end("")

    def _start_answer(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._received = 0
        self._head_complete = False
        self._complete = False
        self._retry_after = None

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(HttpAnswer(self._parser.get_status_code(), self._retry_after))

    def _end(self, reason: str) -> None:
        """No more of this connection; the status is the answer if it is known."""
        if self._head_complete:
            self._tell()
        elif self._answer is not None and not self._answer.done():
            self._answer.set_exception(HttpFailed(reason))
        self.close()
