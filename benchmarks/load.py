"""An HTTP load generator that costs little: prepared requests over kept-alive connections.

Run as its own process: `python -m benchmarks.load REQUESTS_FILE PORT closed CONNECTIONS SECONDS`
or `… open RATE SECONDS`; prints one JSON object. The file holds requests, each after its length
(4 bytes, big-endian).
"""

import asyncio
import json
import sys
from collections import Counter, deque
from pathlib import Path
from time import perf_counter
from typing import cast

import uvloop

MAX_OPEN_CONNECTIONS = 512


class Connection(asyncio.Protocol):
    """One request at a time; answers are found by their Content-Length."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for its first request."""
        self.transport = cast("asyncio.WriteTransport", transport)

    def send(self, request: bytes, due_at: float) -> None:
        """Latency counts from when the request was due, so that a stall is not hidden."""
        assert self.transport is not None
        self._sent_at = due_at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Takes an answer and asks for what is next."""
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = self._buffer[head_end + 4 + length :]
        self._load.answered(self, status, perf_counter() - self._sent_at)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Counted: a good server keeps its connections."""
        self._load.lost(self)


class Load:
    """Answers so far, and who sends next."""

    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._next = 0
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.idle: deque[Connection] = deque()
        self.overdue: deque[float] = deque()
        self.closed_loop = False
        self.stopping = False

    def request(self) -> bytes:
        """The next prepared request, round and round."""
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        return request

    def answered(self, connection: Connection, status: int, seconds: float) -> None:
        """Notes it and gives the connection its next request, or rest."""
        if not self.stopping:
            self.statuses[str(status)] += 1
            self.latencies.append(seconds)
        if self.closed_loop:
            if not self.stopping:
                connection.send(self.request(), perf_counter())
        elif self.overdue:
            connection.send(self.request(), self.overdue.popleft())
        else:
            self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection that the server closed."""
        if not self.stopping:
            self.statuses["lost"] += 1
        if connection in self.idle:
            self.idle.remove(connection)

    async def closed(self, port: int, connections: int, seconds: float) -> float:
        """Each connection sends as soon as it is answered. Returns the seconds it took."""
        self.closed_loop = True
        opened = [await self._open(port) for _ in range(connections)]
        begin = perf_counter()
        for connection in opened:
            connection.send(self.request(), perf_counter())
        await asyncio.sleep(seconds)
        self.stopping = True
        return perf_counter() - begin

    async def open(self, port: int, rate: float, seconds: float) -> float:
        """Requests are due at a steady rate, answered or not."""
        self.idle.extend([await self._open(port) for _ in range(MAX_OPEN_CONNECTIONS)])
        begin = perf_counter()
        due = 0
        while (now := perf_counter()) - begin < seconds:
            while due < (now - begin) * rate:
                due_at = begin + due / rate
                due += 1
                if self.idle:
                    self.idle.popleft().send(self.request(), due_at)
                else:
                    self.overdue.append(due_at)
            await asyncio.sleep(0.001)
        elapsed = perf_counter() - begin
        await asyncio.sleep(1.0)
        self.stopping = True
        return elapsed

    async def _open(self, port: int) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
        return connection


def read_requests(path: Path) -> list[bytes]:
    """The prepared requests of a file."""
    raw, requests, at = path.read_bytes(), [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        requests.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return requests


def write_requests(path: Path, requests: list[bytes]) -> None:
    """Prepares a file for `read_requests`."""
    path.write_bytes(b"".join(len(r).to_bytes(4, "big") + r for r in requests))


def main(arguments: list[str]) -> None:
    """One run; its figures as JSON on stdout."""
    path, port, shape, amount, seconds = arguments
    load = Load(read_requests(Path(path)))
    run = (
        load.closed(int(port), int(amount), float(seconds))
        if shape == "closed"
        else load.open(int(port), float(amount), float(seconds))
    )
    elapsed = uvloop.run(run)
    ordered = sorted(load.latencies) or [0.0]
    print(
        json.dumps(
            {
                "answers": sum(load.statuses.values()),
                "statuses": dict(load.statuses),
                "seconds": elapsed,
                "rate": len(load.latencies) / elapsed,
                "p50_ms": ordered[len(ordered) // 2] * 1000,
                "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000,
                "overdue": len(load.overdue),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
