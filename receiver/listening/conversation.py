"""uvicorn's HTTP protocol with what it lacks around requests: a place, an end in good order.

uvicorn answers what it cannot read before what it has read, waits for ever for a client that
does not take its answers, and closes while the client still sends, which resets the connection
and loses the last answer on its way. Here a refusal waits until all before it is answered, is
followed by the end of our side, and what the client still sends is read away for a moment.
"""

import asyncio
from collections.abc import Sized
from functools import partial
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from receiver.listening.answers import Answer, Message, Receive, Scope, Send
from receiver.listening.limits import LINGER_BYTES, LINGER_SECONDS, Limits
from receiver.listening.partings import ADDRESS_NOT_ALLOWED, ANSWER_NOT_READ, Parting


class _InTurn(FlowControl):
    """Reads on only when no request waits for its turn.

    uvicorn would read more with every answer, and so take in faster than it answers.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Unless there is enough to do."""
        if not self._waiting:
            super().resume_reading()


class Conversation(HttpToolsProtocol):
    """One connection: who it is, what is still to be answered, and how it ends.

    Attributes:
        peer: The address that connected; "" if nobody knows it any more.
        behind_proxy: The peer is a trusted proxy, which speaks for others.
        due: Requests begun and not answered.
        in_body: The newest of them is not whole.
        parted: Nothing more is parsed; a last word may wait for the answers that are due.
    """

    def __init__(self, limits: Limits, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        # uvicorn's word for it is a whole number, but it is only a timer's delay.
        self.timeout_keep_alive = limits.idle_seconds  # type: ignore[assignment]
        self.cycle: Any = None
        self.limits = limits
        self.peer = ""
        self.behind_proxy = False
        self.due = 0
        self.in_body = False
        self.parted = False
        self._last_word: Answer | None = None
        self._admitted = False
        self._client_ended = False
        self._ignored_bytes = 0
        self._unread: asyncio.TimerHandle | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._running: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A fresh connection needs a place."""
        super().connection_made(transport)
        self.flow = _InTurn(transport, self.pipeline)
        self.peer = "" if self.client is None else self.client[0]
        self.behind_proxy = bool(self.limits.proxies) and self.limits.proxies.contain(self.peer)
        refusal = self._admission()
        if refusal is None:
            self._admitted = True
            self.limits.on_connections(1)
        else:
            self.part(refusal)

    def _admission(self) -> Parting | None:
        if self.behind_proxy:
            return self.limits.places.take(None)
        if not self.limits.admits(self.peer):
            return ADDRESS_NOT_ALLOWED
        return self.limits.places.take(self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more, and the place is free."""
        for timer in (self._unread, self._farewell):
            if timer is not None:
                timer.cancel()
        if self._admitted:
            self.limits.places.leave(None if self.behind_proxy else self.peer)
            self.limits.on_connections(-1)
        self._forget_running()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has said all may still wait for answers; True keeps our side open."""
        if not self.parted:
            self.parted = True
            self._drop_unfinished()
        self._client_ended = True
        return self.due > 0

    def part(self, parting: Parting) -> None:
        """Ends the conversation: parses no more, answers what is due, says why, closes."""
        if self.parted or self.transport.is_closing():
            return
        self.parted = True
        if not self._drop_unfinished():
            parting = parting._replace(answer=None)
        self.limits.on_parting(parting)
        self._last_word = parting.answer
        if self.due:
            self.flow.pause_reading()
        else:
            self._say_last_word()

    def ignore(self, data: bytes) -> None:
        """Reads away what comes after the parting."""
        self._ignored_bytes += len(data)
        if self._ignored_bytes > LINGER_BYTES:
            self._abort()

    def on_response_complete(self) -> None:
        """One answer less is due; after the last one the conversation may end."""
        self.due -= 1
        super().on_response_complete()
        if self.transport.is_closing():
            self._see_off()
        elif self.parted and not self.due:
            self._unset_keepalive_if_required()
            self._say_last_word()

    def pause_writing(self) -> None:
        """So many answers wait for the client that it must take some in time."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.answer_seconds, self._is_not_read)

    def resume_writing(self) -> None:
        """It took some."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        self.close()

    def close(self) -> None:
        """Closes when the client has taken its answers, and soon in any case."""
        self.transport.close()
        self._see_off()

    def answer_bytes(self, answer: Answer, *, keep_alive: bool = True) -> bytes:
        """An answer as it goes over the wire, with the server's own headers."""
        lines = [answer.status_line]
        for name, value in self.server_state.default_headers:
            lines += (name, b": ", value, b"\r\n")
        if not keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(answer.rest)
        return b"".join(lines)

    def _drop_unfinished(self) -> bool:
        """The newest request will not become whole. False: it has its answer, or part of it."""
        if not self.in_body:
            return True
        self.in_body = False
        cycle = self.cycle
        if cycle.response_complete:
            return False
        cycle.disconnected = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
        self.due -= 1
        return not cycle.response_started

    def _say_last_word(self) -> None:
        if self._last_word is None or not self.transport.can_write_eof():
            self.close()
            return
        self.transport.write(self.answer_bytes(self._last_word))
        if self._client_ended:
            self.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._set_farewell(LINGER_SECONDS, self._end_lingering)

    def _end_lingering(self) -> None:
        self._farewell = None
        self.close()

    def _see_off(self) -> None:
        self._set_farewell(self.limits.answer_seconds, self._abort)

    def _set_farewell(self, seconds: float, end: Any) -> None:  # noqa: ANN401 -- any callback
        if self._farewell is not None:
            self._farewell.cancel()
        self._farewell = self.loop.call_later(seconds, end)

    def _is_not_read(self) -> None:
        self._unread = None
        self.limits.on_parting(ANSWER_NOT_READ)
        self._abort()

    def _abort(self) -> None:
        self._forget_running()
        self.transport.abort()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ANN401 -- as uvicorn's
        self._running = cycle
        super()._start_asgi_task(cycle, partial(self._run, cycle, app))

    async def _run(self, cycle: Any, app: Any, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ANN401
        """Without a traceback where the client has left before its answer is written."""

        async def send_if_open(message: Message) -> None:
            if self.transport.is_closing():
                cycle.disconnected = True
            await send(message)

        await app(scope, receive, send_if_open)

    def _forget_running(self) -> None:
        """Nobody waits for its answer; uvicorn tells so only to the newest request."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
