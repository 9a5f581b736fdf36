"""Sends requests at a rate whatever the answers take (open loop), and tries again where USPS might.

What USPS really does after a refusal is not published. Unless told otherwise, 503, 429 and
connection errors are tried again, ever later; every other answer is final.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import orjson

from receiver.simulator.connection import Connection
from receiver.simulator.outgoing import Outgoing
from receiver.simulator.retries import Retries
from receiver.simulator.truth import NO_ANSWER, Answer
from schemas.errors import OperatorError

_RETRY_AFTER_AT_MOST_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 15.0
_USUAL_RETRIES: Final = Retries()
# More waiting than this: the receiver is far behind, and the sender pauses.
WAITING_AT_MOST: Final = 20_000


@dataclass(slots=True)
class _Attempt:
    """A request under way: when it was due, and how often it was tried."""

    request: Outgoing
    wire: bytes
    due: float
    attempts: int = 0


class Pusher:
    """A pool of connections to one URL.

    Args:
        on_settled: Told once per request, with its last answer.
        connections: The most requests in flight.
        retries: What is tried again, and when.
    """

    def __init__(
        self,
        url: str,
        on_settled: Callable[[Outgoing, Answer], None],
        connections: int,
        retries: Retries = _USUAL_RETRIES,
    ) -> None:
        self._target = _split(url)
        self._on_settled = on_settled
        self._most = connections
        self._delays = retries.seconds
        self._retried = retries.statuses
        self._open = 0
        self._idle: list[Connection] = []
        self._waiting: deque[_Attempt] = deque()
        self._under_way: dict[Connection, _Attempt] = {}
        self._retries: dict[int, tuple[asyncio.TimerHandle, _Attempt]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._all_settled = asyncio.Event()
        self._head = _request_head(self._target)

    @property
    def unsettled(self) -> int:
        """Requests that wait for a connection, an answer or another attempt."""
        return len(self._waiting) + len(self._under_way) + len(self._retries)

    @property
    def overwhelmed(self) -> bool:
        """Whether no more should be given to it now."""
        return self.unsettled >= WAITING_AT_MOST

    def push(self, request: Outgoing) -> None:
        """Sends it now, or as soon as a connection is free."""
        due = asyncio.get_running_loop().time()
        self._start(_Attempt(request, self._wire(request), due))

    async def drain(self) -> None:
        """Waits until everything is settled."""
        if self.unsettled:
            self._all_settled.clear()
            await self._all_settled.wait()

    async def settle(self, timeout_seconds: float) -> None:
        """Waits until everything is settled; what is not by then is given up."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.drain(), timeout_seconds)
        self._give_up()
        await asyncio.sleep(0)  # closed connections are let go in the loop's next round

    def _give_up(self) -> None:
        for timer, attempt in self._retries.values():
            timer.cancel()
            self._finish(attempt, 0, b"")
        self._retries.clear()
        for attempt in self._waiting:
            self._finish(attempt, 0, b"")
        self._waiting.clear()
        for connection, attempt in list(self._under_way.items()):
            attempt.attempts = len(self._delays) + 1
            connection.close()
        for task in self._opening:
            task.cancel()
        for connection in self._idle:
            connection.close()

    def _wire(self, request: Outgoing) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (
            self._head,
            lines.encode("latin-1"),
            len(request.body),
            request.body,
        )

    def _start(self, attempt: _Attempt) -> None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                self._send(connection, attempt)
                return
            self._open -= 1
        self._waiting.append(attempt)
        self._open_another()

    def _open_another(self) -> None:
        if self._open < self._most and len(self._opening) < len(self._waiting):
            self._open += 1
            task = asyncio.get_running_loop().create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _send(self, connection: Connection, attempt: _Attempt) -> None:
        attempt.attempts += 1
        self._under_way[connection] = attempt
        connection.begin(attempt.wire)

    async def _connect(self) -> None:
        target = self._target
        context = ssl.create_default_context() if target.scheme == "https" else None
        port = target.port or (443 if context else 80)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._answered, _ANSWER_SECONDS),
                    target.hostname or "",
                    port,
                    ssl=context,
                )
        except (OSError, TimeoutError, UnicodeError):  # the last: a host that is no name
            self._open -= 1
            if self._waiting:
                attempt = self._waiting.popleft()
                attempt.attempts += 1
                self._judge(attempt, 0, b"", 0.0)
                self._open_another()
            return
        self._take_next(connection)

    def _take_next(self, connection: Connection) -> None:
        if not connection.usable:
            self._open -= 1
            self._open_another()
        elif self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _answered(self, connection: Connection, status: int, body: bytes) -> None:
        attempt = self._under_way.pop(connection)
        self._judge(attempt, status, body, connection.retry_after_seconds)
        self._take_next(connection)

    def _judge(self, attempt: _Attempt, status: int, body: bytes, asked: float) -> None:
        """Tries again later, or settles with what there is."""
        if status not in self._retried or attempt.attempts > len(self._delays):
            self._finish(attempt, status, body)
            return
        delay = max(self._delays[attempt.attempts - 1], min(asked, _RETRY_AFTER_AT_MOST_SECONDS))

        timer = asyncio.get_running_loop().call_later(delay, self._try_again, attempt)
        self._retries[id(attempt)] = (timer, attempt)

    def _try_again(self, attempt: _Attempt) -> None:
        del self._retries[id(attempt)]
        self._start(attempt)

    def _finish(self, attempt: _Attempt, status: int, body: bytes) -> None:
        latency = asyncio.get_running_loop().time() - attempt.due
        slug = _slug(status, body)
        self._on_settled(attempt.request, Answer(status, slug, attempt.attempts, latency))
        if not self.unsettled:
            self._all_settled.set()


def _split(url: str) -> SplitResult:
    target = urlsplit(url)
    if target.scheme not in {"http", "https"} or not target.hostname:
        raise OperatorError("url_unusable", f"--to {url}: write http://HOST:PORT/PATH")
    return target


def _request_head(target: SplitResult) -> bytes:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    return (
        f"POST {path} HTTP/1.1\r\nHost: {target.netloc}\r\n"
        "User-Agent: scanwire-simulator\r\nContent-Type: application/json\r\n"
    ).encode("ascii")


def _slug(status: int, body: bytes) -> str:
    """`accepted`, the slug of an error answer, or what there is instead."""
    if status == 0:
        return NO_ANSWER
    try:
        answer = orjson.loads(body)
        slug = "accepted" if answer.get("received") is True else str(answer["error"])
    except (ValueError, AttributeError, KeyError):
        slug = f"status_{status}"
    return slug
