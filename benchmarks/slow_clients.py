"""What thousands of slow clients cost a good one: p99 of callbacks with and without them.

Run as its own process (`python -m benchmarks.slow_clients PORT STATS_PORT COUNT`) it keeps so
many connections to PORT open, each in the middle of a request, a byte at a time.
"""

import asyncio
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from statistics import median
from typing import Final

from benchmarks.figures import Figure
from benchmarks.load import write_requests
from benchmarks.machine import CpuTimes
from benchmarks.requests import prepared_requests
from benchmarks.site import Site
from deploy.broker import free_port

SLOW: Final = 2_000
RATE: Final = 1_000
SECONDS: Final = "6"
REQUESTS: Final = 6_000
ROUNDS: Final = 3
SECONDS_PER_BYTE: Final = 2.0
# Another address than the load's, for connections are bounded per address.
ADDRESS: Final = "127.0.0.2"
_HEAD: Final = b"POST /usps/tracking HTTP/1.1\r\nhost: receiver\r\ncontent-length: 3000\r\n"
# Half trickle headers, half trickle a body.
_BEGINNINGS: Final = (_HEAD, _HEAD + b"\r\n{")


def slow_client_figures(place: Site) -> Iterator[Figure]:
    """Runs with and without in turn, at a rate that the machine holds easily."""
    requests = place.directory / "requests"
    write_requests(requests, prepared_requests(place.subscriber(), REQUESTS, datetime.now(UTC)))
    alone, beside = [], []
    before = CpuTimes.now()
    with place.running("receiver", "serve"):
        for _ in range(ROUNDS):
            alone.append(
                _p99(place.load(requests, place.receiver_port, "open", str(RATE), SECONDS))
            )
            stats = free_port(place.ports)
            arguments = (str(place.receiver_port), str(stats), str(SLOW))
            with place.helper("benchmarks.slow_clients", *arguments, port=stats):
                figures = place.load(requests, place.receiver_port, "open", str(RATE), SECONDS)
            beside.append(_p99(figures))
    steal = CpuTimes.now().steal_share_since(before)
    without, with_slow = median(alone), median(beside)
    yield Figure(f"p99 at {RATE:,}/s without slow clients", without, "ms", steal=steal)
    yield Figure(
        f"p99 at {RATE:,}/s beside {SLOW:,} slow clients", with_slow, "ms", at_most=100, steal=steal
    )
    yield Figure("beside slow clients / without", with_slow / without, "", steal=steal)


def _p99(figures: dict[str, float | dict[str, int]]) -> float:
    """Raises `RuntimeError` if any callback was not taken."""
    if set(figures["statuses"]) != {"200"}:  # type: ignore[arg-type]
        raise RuntimeError(f"the listener refused what it should take: {figures['statuses']}")
    return float(figures["p99_ms"])  # type: ignore[arg-type]


class SlowClient(asyncio.Protocol):
    """One connection that never says all; closed by the server, it begins anew."""

    def __init__(self, port: int, beginning: bytes) -> None:
        self._port = port
        self._beginning = beginning
        self._trickle: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    async def connect(self) -> None:
        """Opens a connection."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port, local_addr=(ADDRESS, 0))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._beginning)
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """And again."""
        if self._trickle is not None:
            self._trickle.cancel()
        _TASKS.add(task := asyncio.get_running_loop().create_task(self.connect()))
        task.add_done_callback(_TASKS.discard)

    def _go_on(self) -> None:
        assert self._transport is not None
        self._transport.write(b"x")
        self._trickle = asyncio.get_running_loop().call_later(SECONDS_PER_BYTE, self._go_on)


_TASKS: Final[set["asyncio.Task[None]"]] = set()


async def hold(port: int, stats_port: int, count: int) -> None:
    """Tells at the statistics' port, once all are open, that they are."""
    beginnings = cycle(_BEGINNINGS)
    for _ in range(count):
        await SlowClient(port, next(beginnings)).connect()

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(tell, "127.0.0.1", stats_port)
    await server.serve_forever()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(hold(*(int(argument) for argument in sys.argv[1:])))
