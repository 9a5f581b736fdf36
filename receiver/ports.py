"""Where a receiver process gets its connections from, and whom it tells how it is."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from schemas.admin import Readiness, create_admin_app
from schemas.errors import OperatorError
from schemas.settings import PREFIX, Settings

DEFAULT_ADMIN_PORT: Final = 9100
BACKLOG: Final = 4096


def listen_on_both(settings: Settings) -> tuple[socket.socket, socket.socket]:
    """The bound public and admin sockets. Raises `OperatorError`."""
    public = listen(settings.receiver_host, settings.receiver_port, f"{PREFIX}RECEIVER")
    admin_port = DEFAULT_ADMIN_PORT if settings.admin_port is None else settings.admin_port
    return public, listen(settings.admin_host, admin_port, f"{PREFIX}ADMIN")


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


class EmbeddedServer(uvicorn.Server):
    """uvicorn inside a program that handles its signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None captured."""
        yield


class AdminServer:
    """An admin application on its socket."""

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        self._bound = bound
        self._server = EmbeddedServer(
            uvicorn.Config(
                app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
        )

    async def serve(self) -> None:
        """Answers until `end` was called."""
        await self._server.serve(sockets=[self._bound])

    def end(self) -> None:
        """No more answers."""
        self._server.should_exit = True


class Observed(Protocol):
    """What tells the outside how this process is."""

    async def serve(self) -> None:
        """Answers until `end` was called."""

    def end(self) -> None:
        """No more answers."""


class Ports(Protocol):
    """Where a process gets its connections from, and whom it tells how it is."""

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """What the public server listens on itself."""

    @property
    def told(self) -> Mapping[str, str]:
        """Log fields: where it is reached."""

    def public(self, config: uvicorn.Config) -> uvicorn.Server:
        """The server that takes the connections."""

    def admin(
        self, readiness: Readiness, metrics: CollectorRegistry, notes: Readiness = tuple
    ) -> Observed:
        """Called after `public`."""


class OwnPorts:
    """Of a process that listens itself."""

    def __init__(self, public: socket.socket, admin: socket.socket) -> None:
        self.sockets: Sequence[socket.socket] = [public]
        self.told: Mapping[str, str] = {"public": where(public), "admin": where(admin)}
        self._admin_socket = admin

    def public(self, config: uvicorn.Config) -> uvicorn.Server:
        """Listens on the public socket."""
        return EmbeddedServer(config)

    def admin(
        self, readiness: Readiness, metrics: CollectorRegistry, notes: Readiness = tuple
    ) -> Observed:
        """Listens on the admin socket."""
        return AdminServer(create_admin_app(readiness, metrics, notes), self._admin_socket)


def where(bound: socket.socket) -> str:
    """Its address, as a log line has it."""
    host, port = bound.getsockname()[:2]
    return f"{host}:{port}"
