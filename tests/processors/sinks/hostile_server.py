"""A server that answers with whatever bytes a test wants, on this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CERTIFICATE = Path(__file__).parent / "localhost.pem"


class HostileServer:
    """Reads whole requests and calls `answer` for each; remembers what came."""

    def __init__(self) -> None:
        self.answer: Answer = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/hook"

    def drop_connections(self) -> None:
        """Closes every connection, as a server does with idle ones."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def hostile_server(*, tls: bool = False) -> AsyncIterator[HostileServer]:
    """A server that is there for as long as the block."""
    hostile = HostileServer()
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(hostile.serve, "127.0.0.1", 0, ssl=context)
    hostile.port = server.sockets[0].getsockname()[1]
    try:
        yield hostile
    finally:
        server.close()
        hostile.drop_connections()
        await asyncio.sleep(0)


def says(answer: bytes, *, then_close: bool = False) -> Answer:
    """Always these bytes."""

    async def answer_so(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if then_close:
            writer.close()

    return answer_so


async def says_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """No answer at all, and the connection stays."""


def trickles(answer: bytes, pause_seconds: float) -> Answer:
    """Byte by byte."""

    async def answer_slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return answer_slowly


def floods(head: bytes, block: bytes) -> Answer:
    """Without end, as long as somebody reads."""

    async def answer_for_ever(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(block)
            await writer.drain()

    return answer_for_ever
