"""The APIs on a port, inside a loop that does other things too."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette

from schemas.errors import OperatorError

LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 512


class _Uvicorn(uvicorn.Server):
    """uvicorn inside a program that handles its signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None captured."""
        yield


@asynccontextmanager
async def serving(app: Starlette, port: int = 0, host: str = LOOPBACK) -> AsyncIterator[str]:
    """Serves while the context lasts; gives the base URL. Port 0: any free one.

    Raises `OperatorError`: the port is taken.
    """
    with _listening(port, host) as listening:
        server = _Uvicorn(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://{host}:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def _listening(port: int, host: str) -> socket.socket:
    # Named a TCP socket: only then asyncio turns off Nagle's algorithm, which costs 40 ms a call.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        found.close()
        raise OperatorError(
            "port_unavailable",
            f"--serve {port}: cannot listen on {host}:{port} ({error}); give another port",
        ) from None
    return found
