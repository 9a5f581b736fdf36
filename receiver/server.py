"""`serve` with one worker: the listener and its admin port in one process, until SIGTERM."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
import uvicorn
import uvloop

from receiver.assembly import Receiver, assemble
from receiver.ending import Ending
from receiver.listening.app import create_app
from receiver.listening.connection import connections_to
from receiver.listening.limits import limits_of
from receiver.listening.listener import Listener
from receiver.listening.open_files import room_for_connections
from receiver.ports import EmbeddedServer, OwnPorts, Ports, listen_on_both
from receiver.program import Tools
from schemas.settings import Settings

log = structlog.get_logger(__name__)
# Young objects die with their callback, so the collector has little to find and may be rare.
GC_THRESHOLD: Final = 50_000
_SPARE_SECONDS: Final = 2.0


def run(tools: Tools) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code; raises `OperatorError`."""
    public, admin = listen_on_both(tools.settings)
    with public, admin, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Server(tools, OwnPorts(public, admin)).serve())
    return 0


class Server:
    """One process: background work, public port, admin port, and the order of their end."""

    def __init__(self, tools: Tools, ports: Ports) -> None:
        self._tools = tools
        self._ports = ports
        self._ending = Ending()

    async def serve(self) -> None:
        """Until SIGTERM, or until a part of it fails, which is raised."""
        receiver = assemble(self._tools)
        self._ending.begin_on_signals()
        public = public_server(receiver.listener, self._tools.settings, self._ports.public)
        admin = self._ports.admin(
            partial(self._readiness, receiver), self._tools.metrics, receiver.notes
        )
        background = [asyncio.create_task(receiver.run())]
        freezing = asyncio.create_task(_freeze_when_ready(receiver))
        listening = asyncio.create_task(public.serve(sockets=list(self._ports.sockets)))
        observing = asyncio.create_task(admin.serve())
        log.info("receiver_started", **self._ports.told)
        try:
            await self._ending.wait([*background, listening, observing])
        finally:
            # Not ready, and nothing new taken; what was taken is finished; then the rest.
            self._ending.begin()
            public.should_exit = True
            await asyncio.wait([listening])
            await _cancel([*background, freezing])
            admin.end()
            await asyncio.wait([observing])
        log.info("receiver_stopped")

    def _readiness(self, receiver: Receiver) -> Sequence[str]:
        return ["shutting down"] if self._ending.begun else receiver.readiness()


def grace_seconds(settings: Settings) -> float:
    """What a callback may still take at the end: the body's time, and then the broker's."""
    return settings.body_timeout_seconds + settings.publish_timeout_seconds + _SPARE_SECONDS


def public_server(
    listener: Listener,
    settings: Settings,
    make: Callable[[uvicorn.Config], uvicorn.Server] = EmbeddedServer,
) -> uvicorn.Server:
    """The server of the public port, to be given its socket."""
    limits = limits_of(
        settings,
        room_for_connections(settings.max_connections),
        listener.count_connections,
        listener.note_parting,
    )
    return make(
        uvicorn.Config(
            create_app(listener),
            interface="asgi3",
            http=connections_to(listener, limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=int(grace_seconds(settings)),
        )
    )


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _freeze_when_ready(receiver: Receiver) -> None:
    """What is there by then stays: the collector need not look at it again and again."""
    while receiver.readiness():  # noqa: ASYNC110 -- what it waits for is no one event
        await asyncio.sleep(1.0)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
