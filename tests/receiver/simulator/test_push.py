"""The sender keeps its pace, tries again where USPS might, and tells every last answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

import orjson

from receiver.simulator.drive import Pace, drive
from receiver.simulator.latencies import Latencies
from receiver.simulator.outgoing import Becomes, Outgoing
from receiver.simulator.push import Pusher
from receiver.simulator.pushers import Pushers
from receiver.simulator.retries import Retries
from receiver.simulator.truth import Answer
from tests.receiver.fakes import FakeClock

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"received":true}'
REFUSED = b'HTTP/1.1 401 No\r\ncontent-length: 30\r\n\r\n{"error":"signature_mismatch"}'
BUSY = b"HTTP/1.1 503 No\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"
CLOSING = OK.replace(b"content-length", b"connection: close\r\ncontent-length")

Respond = Callable[[int], bytes | None]


def request(name: str) -> Outgoing:
    """Some request."""
    return Outgoing(
        name, "s", "t", {"X-HMAC": "x"}, b'{"n":1}', None, Becomes.PUBLISHED, 200, "accepted",
        name, (),
    )  # fmt: skip


@asynccontextmanager
async def listener(respond: Respond) -> AsyncIterator[str]:
    """A listener that answers its n-th request as told; None: it hangs up."""
    count = 0
    served: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        served.add(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                orjson.loads(await reader.readexactly(length))
                count += 1
                answer = respond(count)
                if answer is None:
                    break
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/usps/tracking"
    await asyncio.gather(*(task for task in served if task is not None))


async def push(respond: Respond, count: int, connections: int = 4) -> list[Answer]:
    """Pushes so many requests at once and waits for all answers."""
    answers: list[Answer] = []
    async with listener(respond) as url:
        pusher = Pusher(
            url, lambda _, answer: answers.append(answer), connections, Retries((0.01, 0.02))
        )
        for index in range(count):
            pusher.push(request(str(index)))
        await pusher.settle(10)
    return answers


async def test_more_requests_than_connections_are_all_answered() -> None:
    """What finds no connection free waits its turn."""
    answers = await push(lambda _: OK, 50)
    assert [answer.slug for answer in answers] == ["accepted"] * 50


async def test_refusals_are_final_and_told_by_their_slug() -> None:
    """USPS would not repeat what was answered 401."""
    (answer,) = await push(lambda _: REFUSED, 1)
    assert (answer.status, answer.slug, answer.attempts) == (401, "signature_mismatch", 1)


async def test_503_and_broken_connections_are_tried_again() -> None:
    """Neither is an answer: the same request comes again until it has one."""
    answers = await push(lambda count: (BUSY, None, OK)[min(count, 3) - 1], 1)
    assert [(answer.status, answer.attempts) for answer in answers] == [(200, 3)]


async def test_closed_connections_are_replaced() -> None:
    """A listener that closes after each answer still gets everything."""
    answers = await push(lambda _: CLOSING, 10, connections=2)
    assert [answer.slug for answer in answers] == ["accepted"] * 10


async def test_nobody_there_is_told_as_no_answer() -> None:
    """After the time to settle, what has no answer is given up and said so."""
    async with listener(lambda _: OK) as url:
        pass
    answers: list[Answer] = []
    pusher = Pusher(url, lambda _, answer: answers.append(answer), 2)
    pusher.push(request("a"))
    pusher.push(request("b"))
    await pusher.settle(0.2)
    assert [(answer.status, answer.slug) for answer in answers] == [(0, "no_answer")] * 2


def test_pace_counts_rate_and_bursts() -> None:
    """So many by then: the rate's share, and every burst that is due."""
    assert [Pace(10).due_after(seconds) for seconds in (0, 0.1, 1.05)] == [1, 2, 11]
    assert Pace(10, burst=100, burst_every_seconds=2).due_after(4.05) == 41 + 200


def test_quantiles_are_close() -> None:
    """A quantile is never too low, and at most 5 % too high."""
    latencies = Latencies()
    assert latencies.quantile(0.5) is None
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    for share in (0.5, 0.99, 1.0):
        found = latencies.quantile(share)
        assert found is not None
        assert share <= found <= share * 1.051


async def steps_taken(outcomes: list[bool], *, waits: bool) -> int:
    """How often `drive` asked for a step; it is stopped when there is no outcome left."""
    stop, clock, taken = asyncio.Event(), FakeClock(), 0

    def step() -> bool:
        nonlocal taken
        taken += 1
        clock.advance(1)
        if taken == len(outcomes):
            stop.set()
        return outcomes[taken - 1]

    pushers = Pushers(
        lambda url: Pusher(url, lambda *_: None, 1), "http://127.0.0.1:1/", all_to_it=True
    )
    await drive(step, pushers, Pace(1.0), clock, stop, waits=waits)
    return taken


async def test_what_is_told_out_ends_unless_more_may_come() -> None:
    """Without APIs a run ends with its last callback; with them it waits for subscriptions."""
    assert await steps_taken([True, False, True], waits=False) == 2
    assert await steps_taken([True, False, False, True], waits=True) == 4


async def test_each_url_has_a_pusher_of_its_own() -> None:
    """A request goes where its subscription says, or all of them where the operator says."""
    urls: list[str] = []

    def make(url: str) -> Pusher:
        urls.append(url)
        return Pusher(url, lambda *_: None, 1)

    for all_to_it, expected in (
        (False, ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"]),
        (True, ["http://127.0.0.1:1/a"]),
    ):
        urls.clear()
        pushers = Pushers(make, "http://127.0.0.1:1/a", all_to_it=all_to_it)
        pushers.push(request("one"))
        pushers.push(replace(request("two"), listener_url="http://127.0.0.1:1/b"))
        assert (urls, pushers.unsettled) == (expected, 2)
        await pushers.settle(0)
        assert pushers.unsettled == 0


def _keep(answers: list[Answer], _: Outgoing, answer: Answer) -> None:
    answers.append(answer)


async def test_retries_are_as_they_are_set() -> None:
    """Another status can be tried again, and nothing need be."""
    for retries, attempts in ((Retries((0.0,), frozenset({401})), 2), (Retries(()), 1)):
        answers: list[Answer] = []
        async with listener(lambda _: REFUSED) as url:
            pusher = Pusher(url, partial(_keep, answers), 1, retries)
            pusher.push(request("one"))
            await pusher.drain()
            await pusher.settle(0)
        assert [answer.attempts for answer in answers] == [attempts]
