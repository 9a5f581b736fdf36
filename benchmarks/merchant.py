"""A merchant's endpoint that costs little: answers 200 and keeps the latencies.

Run as its own process: `python -m benchmarks.merchant PORT`; `GET /stats` tells count and
latency (from the callback's receipt), `GET /reset` begins anew.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any, cast

import httptools
import uvloop

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_MARK = b'"received_at":"'


class Latencies:
    """Seconds from receipt to arrival here, since the last reset."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def note(self, body: bytes) -> None:
        """Reads the event's `received_at`."""
        at = body.find(_MARK) + len(_MARK)
        received = datetime.fromisoformat(body[at : body.index(b'"', at)].decode())
        self.seconds.append((datetime.now(UTC) - received).total_seconds())

    def stats(self) -> dict[str, Any]:
        """Count and percentiles."""
        ordered = sorted(self.seconds)
        if not ordered:
            return {"count": 0, "p50_ms": 0.0, "p99_ms": 0.0}
        return {
            "count": len(ordered),
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        }


class Endpoint(asyncio.Protocol):
    """One connection."""

    def __init__(self, latencies: Latencies) -> None:
        self._latencies = latencies
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._url = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """To the parser."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """A new request."""
        self._url, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        """More of it."""
        self._body += body

    def on_message_complete(self) -> None:
        """All of it."""
        assert self._transport is not None
        if self._url == b"/reset":
            self._latencies.seconds.clear()
        if self._url in {b"/stats", b"/reset"}:
            stats = json.dumps(self._latencies.stats()).encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(stats)
            self._transport.write(head + stats)
            return
        self._latencies.note(self._body)
        self._transport.write(_OK)


async def serve(port: int) -> None:
    """Until killed."""
    latencies = Latencies()
    server = await asyncio.get_running_loop().create_server(
        lambda: Endpoint(latencies), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
