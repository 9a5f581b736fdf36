"""The public port of several workers: accepts, and hands each connection to one of them.

The parent accepts, because the kernel does not spread well what lives long: of workers that
share one socket the first to wake takes a burst whole, and SO_REUSEPORT draws lots, so that a
few kept-alive connections often meet in one worker, a worker that is starting or stuck keeps its
share waiting, and one that dies resets it. Handed over, a connection goes to the worker that is
ready and has the fewest; while there is none it waits in the one backlog. A connection costs the
parent some 20 microseconds, and its requests nothing.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)
_PER_TURN: Final = 64
_AGAIN_SECONDS: Final = 0.05
# Without file descriptors or memory: as asyncio's own servers do.
_EXHAUSTED_SECONDS: Final = 1.0


class Taker(Protocol):
    """A worker, as far as it takes connections."""

    @property
    def burden(self) -> tuple[bool, int]:
        """Whether it is not ready, and its open connections: the least takes the next."""

    def take(self, connection: socket.socket) -> bool:
        """False if it cannot now. The caller closes its own copy."""


class Front:
    """Accepts from `begin` to `end` while there is a worker to take what comes."""

    def __init__(self, bound: socket.socket, takers: Callable[[], Sequence[Taker]]) -> None:
        self._bound = bound
        self._takers = takers
        self._pending: socket.socket | None = None
        self._resuming: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Accepts from now on."""
        self._bound.setblocking(False)
        self._resume()

    def end(self) -> None:
        """Hands over what waits in the backlog, and frees the port."""
        self._pause()
        while self._turn():
            pass
        self._pause()
        if self._pending is not None:
            self._pending.close()
        self._bound.close()

    def _resume(self) -> None:
        self._resuming = None
        asyncio.get_running_loop().add_reader(self._bound, self._turn)

    def _pause(self, seconds: float | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._bound)
        if self._resuming is not None:
            self._resuming.cancel()
        self._resuming = None if seconds is None else loop.call_later(seconds, self._resume)

    def _turn(self) -> bool:
        """True if there may be more."""
        for _ in range(_PER_TURN):
            takers = self._takers()
            if not takers:
                self._pause(_AGAIN_SECONDS)
                return False
            try:
                connection = self._pending or self._bound.accept()[0]
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionAbortedError:
                continue
            except OSError as error:
                log.error("accept_failed", error=error.strerror)
                self._pause(_EXHAUSTED_SECONDS)
                return False
            self._pending = None
            if not self._give(connection, takers):
                self._pending = connection
                self._pause(_AGAIN_SECONDS)
                return False
            connection.close()
        return True

    def _give(self, connection: socket.socket, takers: Sequence[Taker]) -> bool:
        by_burden = sorted(takers, key=lambda taker: taker.burden)
        return any(taker.take(connection) for taker in by_burden)
