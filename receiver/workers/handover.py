"""Connections that one process accepts and another serves: both ends of the hand-over.

One byte and one file descriptor a connection, over a Unix socket pair. The pair is the worker's
lifeline too: when the parent is gone, however it went, the worker reads its end of file.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Final

import uvicorn

from receiver.ports import EmbeddedServer

# Between two looks at what else there is to do.
_PER_TURN: Final = 32
_FIRST_READ_SECONDS: Final = 0.1


def hand_over(channel: socket.socket, connection: socket.socket) -> bool:
    """False if the worker cannot take it now: too many on their way, or it is going."""
    try:
        socket.send_fds(channel, [b"c"], [connection.fileno()])
    except OSError:
        return False
    return True


class HandedServer(EmbeddedServer):
    """Serves what is handed to it until it is told to end, or the other side is gone."""

    def __init__(self, channel: socket.socket, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._channel = channel
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Open now, or about to be."""
        return len(self.server_state.connections) + len(self._connecting)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens on nothing; takes connections from the channel."""
        await super().startup(sockets or [])
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._take)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """First takes what was handed over before; that is served to its end as well."""
        # Nothing comes after it, and what came before can still be read: none is lost between.
        with suppress(OSError):  # the parent is gone
            self._channel.shutdown(socket.SHUT_RD)
        while self._take():
            pass
        self._channel.close()
        if self._connecting:
            await asyncio.wait(self._connecting)
            # uvicorn closes at once whatever it has read nothing of.
            await asyncio.sleep(_FIRST_READ_SECONDS)
        await super().shutdown(sockets)

    def _take(self) -> bool:
        """True if there may be more."""
        for _ in range(_PER_TURN):
            try:
                byte, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionError:
                byte, descriptors = b"", []
            if not byte:
                self.should_exit = True
                asyncio.get_running_loop().remove_reader(self._channel)
                return False
            # None came if this process has no file descriptor left: that one is closed.
            for descriptor in descriptors:
                self._welcome(socket.socket(fileno=descriptor))
        return True

    def _welcome(self, connection: socket.socket) -> None:
        connecting = asyncio.create_task(self._connect(connection))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError:  # gone already
            connection.close()

    def _protocol(self) -> asyncio.Protocol:
        make = self.config.http_protocol_class
        return make(  # type: ignore[call-arg]  # as uvicorn itself calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
