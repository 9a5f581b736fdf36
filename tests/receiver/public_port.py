"""A listening receiver with real sockets before a fake Kafka, and a client that sends any bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from receiver.server import public_server
from tests.receiver.fakes import eventually
from tests.receiver.world import World, running


class Site:
    """A listening receiver."""

    def __init__(self, world: World, bound: socket.socket, server: Any) -> None:
        self.world = world
        self.bound = bound
        self.port: int = bound.getsockname()[1]
        self.server = server

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A fresh connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, *pieces: bytes, pause: float = 0.0) -> bytes:
        """All that comes back until the server closes, on a connection of its own."""
        reader, writer = await self.connect()
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        received = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return received


@asynccontextmanager
async def site(**settings: str) -> AsyncIterator[Site]:
    """A receiver with the given settings on a free port."""
    fast = {"header_timeout_seconds": "0.3", "body_timeout_seconds": "0.3"}
    async with running(World(**(fast | settings))) as world:
        with socket.create_server(("127.0.0.1", 0)) as bound:
            server = public_server(world.listener, world.settings)
            serving = asyncio.create_task(server.serve(sockets=[bound]))
            await eventually(lambda: server.started)
            try:
                yield Site(world, bound, server)
            finally:
                server.should_exit = True
                await asyncio.wait_for(serving, 10)


def raw(
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    *more: bytes,
    line: bytes = b"POST /usps/tracking HTTP/1.1",
) -> bytes:
    """A request as it goes over the wire."""
    lines = [line, b"host: receiver", *(b"%b: %b" % header for header in headers), *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answers(received: bytes) -> list[tuple[int, Any]]:
    """Status and JSON of each answer, "100 Continue" among them; every one must be whole."""
    found: list[tuple[int, Any]] = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        if head == b"HTTP/1.1 100 Continue":
            found.append((100, None))
            received = rest
            continue
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        assert len(rest) >= length
        body, received = rest[:length], rest[length:]
        is_json = fields[b"content-type"] == b"application/json"
        found.append((int(head[9:12]), orjson.loads(body) if is_json else body))
    return found


CLOSE = b"connection: close"
RECEIVED = (200, {"received": True})
