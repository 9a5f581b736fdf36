"""`serve`: the listener and its admin port in one process, until SIGTERM."""

import asyncio
import gc
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog
import uvicorn
import uvloop

from receiver.app import create_app
from receiver.assembly import Receiver, assemble
from receiver.connection import connections_to
from receiver.listener import Listener
from receiver.places import Places
from receiver.program import Tools
from receiver.protocol import Limits
from schemas.admin import Readiness, create_admin_app
from schemas.errors import OperatorError
from schemas.settings import PREFIX, Settings

log = structlog.get_logger(__name__)
DEFAULT_ADMIN_PORT: Final = 9100
IDLE_SECONDS: Final = 75
BACKLOG: Final = 4096
# Young objects die with their callback, so the collector has little to find and may be rare.
GC_THRESHOLD: Final = 50_000
_SPARE_SECONDS: Final = 2.0


def run(tools: Tools) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code; raises `OperatorError`."""
    settings = tools.settings
    if settings.receiver_workers > 1:
        raise OperatorError(
            "workers_not_yet",
            f"{PREFIX}RECEIVER_WORKERS: more than one worker is not possible yet; set it to 1 "
            "and start more receivers behind a load balancer",
        )
    public = listen(settings.receiver_host, settings.receiver_port, f"{PREFIX}RECEIVER")
    admin_port = DEFAULT_ADMIN_PORT if settings.admin_port is None else settings.admin_port
    admin = listen(settings.admin_host, admin_port, f"{PREFIX}ADMIN")
    with public, admin, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Server(tools, public, admin).serve())
    return 0


def listen(host: str, port: int, settings: str) -> socket.socket:
    """A bound socket. Raises `OperatorError` that names address and settings (their prefix)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = "no such host" if isinstance(error, socket.gaierror) else error.strerror
        raise OperatorError(
            "port_unavailable",
            f"cannot listen on {host}:{port} ({reason}); end what uses it, set another "
            f"{settings}_PORT, or correct {settings}_HOST",
        ) from None


class Server:
    """One process: background work, public port, admin port, and the order of their end."""

    def __init__(self, tools: Tools, public: socket.socket, admin: socket.socket) -> None:
        self._tools = tools
        self._public_socket = public
        self._admin_socket = admin
        self._ending = asyncio.Event()

    async def serve(self) -> None:
        """Until SIGTERM, or until a part of it fails, which is raised."""
        receiver = assemble(self._tools)
        self._catch_signals()
        public = public_server(receiver.listener, self._tools.settings)
        admin = _admin_server(partial(self._readiness, receiver), self._tools)
        background = [
            asyncio.create_task(receiver.broker.run()),
            asyncio.create_task(receiver.registry.run()),
        ]
        freezing = asyncio.create_task(_freeze_when_ready(receiver))
        listening = asyncio.create_task(public.serve(sockets=[self._public_socket]))
        observing = asyncio.create_task(admin.serve(sockets=[self._admin_socket]))
        log.info(
            "receiver_started", public=_where(self._public_socket), admin=_where(self._admin_socket)
        )
        try:
            await self._until_end([*background, listening, observing])
        finally:
            # Not ready, and nothing new taken; what was taken is finished; then the rest.
            self._ending.set()
            await _finish(public, listening)
            await _cancel([*background, freezing])
            await _finish(admin, observing)
        log.info("receiver_stopped")

    def _readiness(self, receiver: Receiver) -> Sequence[str]:
        return ["shutting down"] if self._ending.is_set() else receiver.readiness()

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)

    async def _until_end(self, parts: Sequence["asyncio.Task[None]"]) -> None:
        ending = asyncio.create_task(self._ending.wait())
        done, _ = await asyncio.wait([ending, *parts], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        for task in done:
            task.result()


class _Uvicorn(uvicorn.Server):
    """uvicorn inside a program that handles its signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None captured."""
        yield


def public_server(listener: Listener, settings: Settings) -> uvicorn.Server:
    """The server of the public port, to be given its socket."""
    # Whoever is still sending has the body's time, and then the broker's.
    grace = settings.body_timeout_seconds + settings.publish_timeout_seconds + _SPARE_SECONDS
    limits = Limits(
        header_seconds=settings.header_timeout_seconds,
        body_seconds=settings.body_timeout_seconds,
        on_late=listener.too_late,
        places=Places(settings.max_connections, settings.max_connections_per_address),
    )
    return _Uvicorn(
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
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=int(grace),
        )
    )


def _admin_server(readiness: Readiness, tools: Tools) -> _Uvicorn:
    app = create_admin_app(readiness, tools.metrics)
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    return _Uvicorn(config)


async def _finish(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    server.should_exit = True
    await asyncio.wait([serving])


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


def _where(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{host}:{port}"
