"""uvicorn's HTTP protocol with what it lacks: deadlines, bounds on headers and connections.

uvicorn waits for ever for a request, however slowly it trickles. An application cannot see one
before its headers are complete, and a timer per body costs more than the body; so it is the
protocol that closes, and only a request that does not come in one piece costs a timer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from receiver.answers import REFUSALS, TOO_SLOW
from receiver.places import Places

MAX_HEADER_BYTES: Final = 64 * 1024
# The contract says 20; some of it goes by before a busy process gets to it.
MAX_SILENCE_SECONDS: Final = 15.0
# ": " and the line end, which the parser does not show.
_HEADER_FRAME_BYTES: Final = 4
_SLOW: Final = b"%bconnection: close\r\n%b" % (
    REFUSALS[TOO_SLOW].status_line,
    REFUSALS[TOO_SLOW].rest,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take: time, and a place. `on_late` is called for each that is too slow."""

    header_seconds: float
    body_seconds: float
    on_late: Callable[[], None]
    places: Places


class DeadlineProtocol(HttpToolsProtocol):
    """One connection, with at most one deadline running."""

    def __init__(self, limits: Limits, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._address: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._silent = True
        self._in_headers = False
        self._in_body = False
        self._header_bytes = 0
        self._partial_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A fresh connection needs a place, and must say something soon."""
        super().connection_made(transport)
        address = "" if self.client is None else self.client[0]
        if self._limits.places.take(address):
            self._address = address
            self._set_deadline(MAX_SILENCE_SECONDS)
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more, and the place is free."""
        self._clear_deadline()
        if self._address is not None:
            self._limits.places.leave(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses, then sees to what is still due."""
        was_in_headers = self._in_headers
        super().data_received(data)
        if self._in_headers:
            self._partial_bytes += len(data) if was_in_headers else 0
            self._await_headers()
        elif self._deadline is None:
            if self._in_body:
                self._set_deadline(self._limits.body_seconds)
            elif self._dawdles():
                self._set_deadline(self._limits.header_seconds)

    def _dawdles(self) -> bool:
        """Something came that is no request, such as line ends: no reason to stay for ever."""
        answered: bool = self.cycle is None or self.cycle.response_complete
        return answered and self.timeout_keep_alive_task is None

    def on_message_begin(self) -> None:
        """Headers begin."""
        self._in_headers = True
        self._header_bytes = self._partial_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts headers; drops the trailers of a body, which mean nothing here."""
        if not self._in_headers:
            return
        self._header_bytes += len(name) + len(value) + _HEADER_FRAME_BYTES
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Headers came in time. Raises if they are too large: uvicorn then answers 400."""
        self._in_headers = False
        self._in_body = True
        if self._deadline is not None:
            self._clear_deadline()
        if self._header_bytes + len(self.url) > MAX_HEADER_BYTES:
            raise ValueError("headers too large")
        self.start_cycle()

    def start_cycle(self) -> None:
        """A request is due for an answer."""
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body came in time."""
        self._in_body = False
        if self._deadline is not None:
            self._clear_deadline()
        self.end_message()

    def end_message(self) -> None:
        """A request is whole."""
        super().on_message_complete()

    def _await_headers(self) -> None:
        if self.transport.is_closing():
            return
        if max(self._header_bytes, self._partial_bytes) > MAX_HEADER_BYTES:
            self.send_400_response("Headers too large.")
        elif self._deadline is None or self._silent:
            self._clear_deadline()
            self._set_deadline(self._limits.header_seconds)

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._is_late)

    def _clear_deadline(self) -> None:
        self._silent = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._in_headers or self._in_body:
            self._limits.on_late()
            if self._may_answer():
                self.transport.write(_SLOW)
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether the late request is the one to be answered next, and is not answered yet."""
        if self._in_headers:
            return self.cycle is None or self.cycle.response_complete
        return not self.pipeline and not self.cycle.response_started
