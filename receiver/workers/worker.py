"""One worker: the receiver's process, with connections and questions from its parent."""

import asyncio
import socket
from collections.abc import Mapping, Sequence

import structlog
import uvicorn
import uvloop
from prometheus_client import CollectorRegistry, generate_latest

from receiver.ports import Observed
from receiver.program import Tools
from receiver.server import Server
from receiver.workers.handover import HandedServer
from receiver.workers.reports import Report, Reporter
from schemas.admin import Readiness
from schemas.errors import OperatorError


def run(tools: Tools, connections: int, reports: int) -> int:
    """Serves what comes over the parent's two channels, given as file descriptors.

    Until SIGTERM, SIGINT, or the end of the parent. Returns the exit code; raises
    `OperatorError`.
    """
    structlog.contextvars.bind_contextvars(worker=tools.worker)
    channel, reporting = _channel(connections), _channel(reports)
    with channel, reporting, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(tools, channel, reporting))
    return 0


async def _serve(tools: Tools, channel: socket.socket, reporting: socket.socket) -> None:
    streams = await asyncio.open_unix_connection(sock=reporting)
    await Server(tools, ParentsPorts(channel, *streams)).serve()


def _channel(descriptor: int) -> socket.socket:
    try:
        return socket.socket(fileno=descriptor)
    except (OSError, ValueError):
        raise OperatorError(
            "no_parent", "a worker is started by `serve` alone; set RECEIVER_WORKERS and run that"
        ) from None


class ParentsPorts:
    """Of a process whose parent listens."""

    def __init__(
        self, channel: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.sockets: Sequence[socket.socket] = []
        self.told: Mapping[str, str] = {}
        self._streams = reader, writer
        self._channel = channel

    def public(self, config: uvicorn.Config) -> uvicorn.Server:
        """Takes what is handed over."""
        self._server = HandedServer(self._channel, config)
        return self._server

    def admin(
        self, readiness: Readiness, metrics: CollectorRegistry, notes: Readiness = tuple
    ) -> Observed:
        """Answers the parent."""

        def report(exposition: bool) -> Report:
            text = generate_latest(metrics).decode() if exposition else ""
            return Report(list(readiness()), list(notes()), self._server.connections, text)

        return Reporter(*self._streams, report)
