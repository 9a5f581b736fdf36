"""What every long-running processor shares: its tools, its admin port, its end on SIGTERM."""

import asyncio
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import structlog
import uvicorn
from prometheus_client import CollectorRegistry

from schemas.admin import create_admin_app
from schemas.clock import Clock, SystemClock
from schemas.errors import OperatorError
from schemas.kafka import KafkaOptions
from schemas.secrets import Secrets
from schemas.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a program is given; it makes nothing global of its own."""

    settings: Settings
    secrets: Secrets
    kafka: KafkaOptions
    clock: Clock = field(default_factory=SystemClock)
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)


class Service(Protocol):
    """A program's work."""

    async def run(self) -> None:
        """Works until `stop`; raises what it cannot go on from."""

    async def stop(self) -> None:
        """Asks `run` to finish what is in hand and return."""

    def readiness(self) -> Sequence[str]:
        """What stands in the way of work, a sentence each; empty: ready."""


@runtime_checkable
class TakesNotes(Protocol):
    """A service of which a part may be in trouble while it is ready."""

    def notes(self) -> Sequence[str]:
        """What is wrong, a sentence each; told at `/health/ready`."""


async def run_service(service: Service, tools: Tools, name: str, default_admin_port: int) -> None:
    """Runs the work beside its admin port until SIGTERM or SIGINT, then lets it finish."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: stopping.append(loop.create_task(service.stop())))
    listening = _listen(tools.settings, default_admin_port)
    admin = _AdminServer(service, tools)
    admin_task = asyncio.create_task(admin.serve(sockets=[listening]))
    log.info("program_started", program=name)
    try:
        await service.run()
    finally:
        admin.should_exit = True
        with suppress(asyncio.CancelledError):
            await admin_task
    log.info("program_stopped", program=name)


class _AdminServer(uvicorn.Server):
    """uvicorn on the admin port; signals are the program's."""

    def __init__(self, service: Service, tools: Tools) -> None:
        notes = service.notes if isinstance(service, TakesNotes) else tuple
        app = create_admin_app(service.readiness, tools.metrics, notes)
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None captured: SIGTERM belongs to the program."""
        yield


def _listen(settings: Settings, default_port: int) -> socket.socket:
    """The admin port's socket. Raises `OperatorError`: uvicorn would only exit."""
    port = settings.admin_port if settings.admin_port is not None else default_port
    try:
        return socket.create_server((settings.admin_host, port))
    except OSError as error:
        raise OperatorError(
            "port_unavailable",
            f"cannot listen on {settings.admin_host}:{port} ({error.strerror}); "
            "end what uses it, or set SCANWIRE_ADMIN_PORT",
        ) from None
