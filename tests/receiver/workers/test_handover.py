"""Connections accepted here and served there: real sockets, the worker's half in this process."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from receiver.listening.app import PATH
from receiver.server import public_server
from receiver.workers.front import Front
from receiver.workers.handover import HandedServer, hand_over
from tests.receiver.fakes import eventually
from tests.receiver.world import World, callback, running


def request() -> bytes:
    """A good callback as it is on the wire."""
    body, headers = callback()
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"POST %b HTTP/1.1\r\nhost: a\r\n%b\r\n%b" % (PATH.encode(), lines, body)


class Taker:
    """A worker that keeps what it is given, or refuses it."""

    def __init__(self, connections: int = 0, *, unready: bool = False) -> None:
        self.refusing = False
        self.refused = 0
        self.taken: list[socket.socket] = []
        self._connections = connections
        self._unready = unready

    @property
    def burden(self) -> tuple[bool, int]:
        """As it was made, and what it took since."""
        return self._unready, self._connections + len(self.taken)

    def take(self, connection: socket.socket) -> bool:
        """Keeps a copy, as another process has one."""
        if self.refusing:
            self.refused += 1
            return False
        self.taken.append(connection.dup())
        return True


@asynccontextmanager
async def front(*takers: Taker) -> AsyncIterator[tuple[Front, list[Taker], int]]:
    """A front that accepts for these; the list may be changed."""
    current = list(takers)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        one = Front(bound, lambda: current)
        one.begin()
        yield one, current, bound.getsockname()[1]
        if bound.fileno() >= 0:
            one.end()
    for taker in takers:
        for connection in taker.taken:
            connection.close()


def connect(port: int, count: int) -> list[socket.socket]:
    """So many clients."""
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def close(clients: Sequence[socket.socket]) -> None:
    """All of them."""
    for client in clients:
        client.close()


async def test_fewest_connections_take_the_next() -> None:
    """A worker that has more gets none until the others have as many."""
    takers = [Taker(4), Taker(), Taker(2)]
    async with front(*takers) as (_, _, port):
        clients = connect(port, 9)
        await eventually(lambda: sum(len(taker.taken) for taker in takers) == 9)
        assert [len(taker.taken) for taker in takers] == [1, 5, 3]
        close(clients)


async def test_ready_workers_come_first() -> None:
    """One that is not ready takes only what no other can."""
    unready, ready = Taker(unready=True), Taker(100)
    async with front(unready, ready) as (_, _, port):
        clients = connect(port, 3)
        await eventually(lambda: len(ready.taken) == 3)
        ready.refusing = True
        clients += connect(port, 2)
        await eventually(lambda: len(unready.taken) == 2)
        close(clients)


async def test_connections_wait_for_a_worker() -> None:
    """With nobody there, and with nobody who can, they wait and are served then."""
    taker = Taker()
    async with front() as (_, current, port):
        clients = connect(port, 2)
        taker.refusing = True
        current.append(taker)
        clients += connect(port, 1)
        await eventually(lambda: taker.refused)
        taker.refusing = False
        await eventually(lambda: len(taker.taken) == 3)
        close([*clients, *taker.taken])


async def test_end_hands_over_what_waits() -> None:
    """What the kernel had accepted by then is served; the port is free at once."""
    taker = Taker()
    async with front(taker) as (one, _, port):
        clients = connect(port, 5)
        one.end()
        assert len(taker.taken) == 5
        with socket.create_server(("127.0.0.1", port)):
            pass
        close(clients)


class Exhausted(socket.socket):
    """A listening socket of a process without file descriptors, until it has some."""

    none_left = True
    tried = 0

    def accept(self) -> tuple[socket.socket, object]:
        """As the kernel refuses it."""
        self.tried += 1
        if self.none_left:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_file_descriptors_it_waits() -> None:
    """Nothing is accepted, nothing spins, and it goes on when there are some."""
    taker = Taker()
    bound = Exhausted()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    one = Front(bound, lambda: [taker])
    one.begin()
    clients = connect(bound.getsockname()[1], 1)
    await eventually(lambda: bound.tried)
    assert not taker.taken
    bound.none_left = False
    await eventually(lambda: taker.taken)
    assert bound.tried < 10
    one.end()
    close([*clients, *taker.taken])


@asynccontextmanager
async def worker(**settings: str) -> AsyncIterator[tuple[HandedServer, socket.socket]]:
    """A serving worker and the parent's end of its channel."""
    parent, channel = socket.socketpair()
    async with running(World(**settings)) as world:
        server = public_server(world.listener, world.settings, partial(HandedServer, channel))
        assert isinstance(server, HandedServer)
        serving = asyncio.create_task(server.serve(sockets=[]))
        await eventually(lambda: server.started)
        yield server, parent
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
    parent.close()


def hand_one(parent: socket.socket) -> socket.socket:
    """Accepts a client and hands it over; the client's side of it."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        client = socket.create_connection(bound.getsockname())
        accepted, _ = bound.accept()
    with accepted:
        assert hand_over(parent, accepted)
    return client


async def talk(client: socket.socket, said: bytes) -> bytes:
    """The first answer to it; the connection stays open for more."""
    reader, writer = await asyncio.open_connection(sock=client)
    writer.write(said)
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 10)
    writer.close()
    return answer


async def test_handed_connection_is_served() -> None:
    """A callback on it is answered, with the client's address known."""
    async with worker() as (server, parent):
        answer = await talk(hand_one(parent), request())
        assert answer.startswith(b"HTTP/1.1 200")
        await eventually(lambda: server.connections == 0)


async def test_many_connections_at_once() -> None:
    """None is lost, however many are on their way."""
    async with worker() as (_, parent):
        answers = await asyncio.gather(*(talk(hand_one(parent), request()) for _ in range(100)))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


async def test_limits_hold_for_handed_connections() -> None:
    """The next one over the bound per address is closed."""
    async with worker(max_connections_per_address="1") as (server, parent):
        kept = hand_one(parent)
        await eventually(lambda: server.connections == 1)
        reader, writer = await asyncio.open_connection(sock=hand_one(parent))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        kept.close()


async def test_what_was_handed_over_before_the_end_is_served() -> None:
    """Told to end, it serves what waits in the channel, then takes no more."""
    async with worker() as (server, parent):
        client = hand_one(parent)
        client.sendall(request())
        server.should_exit = True
        answer = await talk(client, b"")
        assert answer.startswith(b"HTTP/1.1 200")
        await eventually(lambda: not hand_over(parent, parent))


async def test_full_channel_refuses() -> None:
    """A worker that does not read gets no more than its channel holds, and nobody waits."""
    parent, channel = socket.socketpair()
    parent.setblocking(False)
    handed = 0
    while hand_over(parent, parent):
        handed += 1
    assert handed > 10
    channel.close()
    assert not hand_over(parent, parent)
    parent.close()


async def test_parent_that_is_gone_ends_the_worker() -> None:
    """The end of the channel is the end of the service, after what it took."""
    async with worker() as (server, parent):
        client = hand_one(parent)
        client.sendall(request())
        parent.close()
        assert (await talk(client, b"")).startswith(b"HTTP/1.1 200")
        await eventually(lambda: server.should_exit)
