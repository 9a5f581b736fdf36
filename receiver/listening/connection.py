"""One connection at the public port: callbacks go straight to the intake, the rest over ASGI.

A third of a callback's cost is what an ASGI server does around it: scope, task, events, two
writes. A plain callback (`POST`, the listener's path, a Content-Length within bounds, nothing
before it in the pipeline) needs none of it; everything else goes uvicorn's way.
"""

import asyncio
from functools import partial
from typing import Any, Final, cast

from receiver.listening.answers import Answer
from receiver.listening.app import PATH
from receiver.listening.limits import Limits
from receiver.listening.listener import Listener
from receiver.listening.protocol import DeadlineProtocol

_TARGET: Final = PATH.encode()


def connections_to(listener: Listener, limits: Limits) -> type[asyncio.Protocol]:
    """The protocol, as uvicorn's `Config(http=...)` takes it."""
    return cast("type[asyncio.Protocol]", partial(CallbackConnection, listener, limits))


class _Nobody:
    """Stands where uvicorn keeps the event of a request that reads its body."""

    def set(self) -> None:
        """Nobody waits."""


_NOBODY: Final = _Nobody()


class CallbackCycle:
    """A callback between its headers and its answer; uvicorn's words for its state."""

    __slots__ = (
        "disconnected",
        "keep_alive",
        "message_event",
        "pieces",
        "response_complete",
        "response_started",
        "waiting_for_100_continue",
    )

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.pieces: list[bytes] = []
        self.disconnected = self.response_started = self.response_complete = False
        self.message_event = _NOBODY


class CallbackConnection(DeadlineProtocol):
    """Takes the short way where it can."""

    def __init__(self, listener: Listener, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._listener = listener

    def start_cycle(self) -> None:
        """The short way, or uvicorn's."""
        if self._is_plain_callback():
            keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
            self.cycle = CallbackCycle(keep_alive=keep_alive)
        else:
            super().start_cycle()

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which is bounded by its Content-Length."""
        if type(self.cycle) is CallbackCycle:
            self.cycle.pieces.append(body)
        else:
            super().on_body(body)

    def end_message(self) -> None:
        """The body is there."""
        cycle = self.cycle
        if type(cycle) is not CallbackCycle:
            super().end_message()
            return
        body = cycle.pieces[0] if len(cycle.pieces) == 1 else b"".join(cycle.pieces)
        answer = partial(self._answer, cycle)
        self._listener.intake.take_now(body, self.headers, self.remote, answer)

    def _is_plain_callback(self) -> bool:
        if self.url != _TARGET or self.parser.get_method() != b"POST" or self.expect_100_continue:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        return self.framing.announced_bytes >= 0 and not self.flow.write_paused

    def _answer(self, cycle: CallbackCycle, answer: Answer) -> None:
        if cycle.disconnected or self.transport.is_closing():
            return
        self.transport.write(self.answer_bytes(answer, keep_alive=cycle.keep_alive))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
