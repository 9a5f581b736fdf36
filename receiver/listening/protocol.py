"""Requests within bounds: deadlines, sizes, sound framing.

uvicorn waits for ever for a request, however slowly it trickles. An application cannot see one
before its headers are complete, and a timer per body costs more than the body; so it is the
protocol that refuses, and only a request that does not come in one piece costs a timer.
"""

import asyncio
from typing import Any, Final

import httptools
import structlog

from receiver.listening import framing, partings
from receiver.listening.conversation import Conversation
from receiver.listening.framing import Framing
from receiver.listening.limits import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    MAX_TARGET_BYTES,
    Limits,
)
from receiver.listening.networks import forwarded_address
from receiver.listening.partings import Parting

log = structlog.get_logger(__name__)
# ": " and the line end, which the parser does not show.
_HEADER_FRAME_BYTES: Final = 4


class _Objection(Exception):
    """Stops the parser; why stands in `DeadlineProtocol`."""


class DeadlineProtocol(Conversation):
    """One connection, with at most one deadline running for what it still has to send.

    Attributes:
        remote: Who the request is from; behind a trusted proxy the address it forwards.
        framing: What the request's headers say of its body.
    """

    def __init__(self, limits: Limits, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(limits, *args, **kwargs)
        self.remote: str | None = None
        self.framing = Framing()
        self._deadline: asyncio.TimerHandle | None = None
        self._objection: Parting | None = None
        self._silent = True
        self._in_headers = self._began = False
        self._upgrading = False
        self._header_bytes = self._body_bytes = self._late_bytes = self._held_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A fresh connection must say something soon."""
        super().connection_made(transport)
        self.remote = self.peer or None
        if not self.parted:
            self._set_deadline(self.limits.silence_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._settle()
        super().connection_lost(exc)

    def part(self, parting: Parting) -> None:
        """Nothing more is awaited of the client."""
        self._settle()
        super().part(parting)

    def data_received(self, data: bytes) -> None:
        """Parses, then sees to what is still due."""
        if self.parted:
            self.ignore(data)
            return
        self._unset_keepalive_if_required()
        self._began = not (self._in_headers or self.in_body)
        if not self._parse(data):
            return
        if self._in_headers or self.in_body:
            # Of what else came with its beginning, part may belong to requests before it.
            self._late_bytes += 0 if self._began else len(data)
            self._await_rest(len(data))
        elif self._deadline is None and not self.due and self.timeout_keep_alive_task is None:
            # Something came that is no request, such as line ends: no reason to stay for ever.
            self._set_deadline(self.limits.header_seconds)

    def on_message_begin(self) -> None:
        """Headers begin."""
        self._in_headers = self._began = True
        self._header_bytes = self._body_bytes = self._late_bytes = 0
        self.framing = Framing()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts headers; drops the trailers of a body, which mean nothing here."""
        if not self._in_headers:
            return
        self._header_bytes += len(name) + len(value) + _HEADER_FRAME_BYTES
        name = name.lower()
        if name in framing.NAMES:
            self.framing.add(name, value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Headers came in time. Raises if the request is refused for them."""
        self._in_headers = False
        if self._deadline is not None:
            self._clear_deadline()
        self._object(self._objection_to_headers())
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        self.expect_100_continue = self.framing.expects_continue
        self.start_cycle()
        self.in_body = True
        self.due += 1

    def start_cycle(self) -> None:
        """A request is due for an answer. Raises if its target cannot be read."""
        try:
            readable = httptools.parse_url(self.url).path is not None
        except httptools.HttpParserInvalidURLError:
            readable = False
        self._object(None if readable else partings.NOT_HTTP)
        if self.behind_proxy and self.remote is not None:
            self.scope["client"] = (self.remote, 0)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Counts, for a chunked body announces no length. Raises if it is too large."""
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.max_body_bytes:
            self._object(partings.BODY_OVER_LIMIT)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body came in time."""
        if self._upgrading:
            return
        self.in_body = False
        if self._deadline is not None or self._held_bytes:
            self._settle()
        self.end_message()

    def end_message(self) -> None:
        """A request is whole."""
        super().on_message_complete()

    def _parse(self, data: bytes) -> bool:
        """False: it was not to be parsed, and the conversation ends."""
        while True:
            try:
                self.parser.feed_data(data)
                return True
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade() + data[upgrade.args[0] :]
            except httptools.HttpParserCallbackError as error:
                if self._objection is None:
                    log.error("request_failed", exc_info=error)
                self.part(self._objection or partings.FAILED)
                return False
            except httptools.HttpParserError:
                self.part(partings.NOT_HTTP)
                return False

    def _without_upgrade(self) -> bytes:
        """The request's head as if it did not ask for another protocol, for a fresh parser.

        A server may ignore Upgrade (RFC 9110, 7.8), and Java's client asks every plain server
        for HTTP/2 in this way; but the parser would take the body for the other protocol.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += (b"%b: %b" % header for header in self.headers if header[0] != b"upgrade")
        self._upgrading = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _objection_to_headers(self) -> Parting | None:
        if self.behind_proxy:
            self.remote = forwarded_address(self.headers, self.peer, self.limits.proxies)
            if not self.limits.admits(self.remote):
                return partings.FORWARDED_NOT_ALLOWED
        if self._header_bytes + len(self.url) > MAX_HEADER_BYTES or len(self.headers) > MAX_HEADERS:
            return partings.HEADERS_TOO_LARGE
        if len(self.url) > MAX_TARGET_BYTES:
            return partings.TARGET_TOO_LONG
        if not self.framing.is_sound(self.parser.get_http_version()):
            return partings.NOT_HTTP
        return self._objection_to_request()

    def _objection_to_request(self) -> Parting | None:
        if self.parser.get_method() == b"CONNECT":
            return partings.TUNNEL
        if self.framing.announced_bytes > self.limits.max_body_bytes:
            return partings.BODY_OVER_LIMIT
        return partings.PIPELINE_TOO_LONG if self.due >= MAX_PIPELINED else None

    def _object(self, objection: Parting | None) -> None:
        if objection is not None:
            self._objection = objection
            raise _Objection

    def _await_rest(self, size: int) -> None:
        if self.transport.is_closing():
            return
        if self._in_headers and max(self._header_bytes, self._late_bytes) > MAX_HEADER_BYTES:
            self.part(partings.HEADERS_TOO_LARGE)
        elif self._late_bytes > self.limits.max_request_bytes:
            self.part(partings.BODY_OVER_LIMIT)
        elif not self.limits.room.take(size):
            self.part(partings.TOO_MUCH_ARRIVING)
        else:
            self._held_bytes += size
            if self._deadline is None or self._silent:
                self._clear_deadline()
                in_headers = self._in_headers
                limits = self.limits
                self._set_deadline(limits.header_seconds if in_headers else limits.body_seconds)

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._is_late)

    def _clear_deadline(self) -> None:
        self._silent = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _settle(self) -> None:
        """Nothing is awaited, and nothing held."""
        self._clear_deadline()
        self.limits.room.give_back(self._held_bytes)
        self._held_bytes = 0

    def _is_late(self) -> None:
        self._deadline = None
        if self.parted or self.transport.is_closing():
            return
        if self.flow.read_paused and self.due > self.in_body:
            # Its rest is not read until what came before it is answered: that is our time.
            self._set_deadline(self.limits.body_seconds)
        elif self._in_headers:
            self.part(partings.HEADERS_LATE)
        else:
            self.part(partings.BODY_LATE if self.in_body else partings.SILENT)
