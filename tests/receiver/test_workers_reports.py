"""Question and answer between parent and worker, over a real pair of sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from receiver.workers.reports import Inquiry, Report, Reporter
from tests.receiver.fakes import eventually


class Pair:
    """Both ends of a channel, and what the worker says of itself."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.scrapes = 0

    async def open(self) -> None:
        """Connects the ends; the worker does not answer yet."""
        parent, worker = socket.socketpair()
        self.inquiry = Inquiry(*await asyncio.open_unix_connection(sock=parent))
        self.reporter = Reporter(
            *await asyncio.open_unix_connection(sock=worker),
            lambda: self.reasons,
            lambda: 7,
            self._exposition,
        )
        self.asking = asyncio.create_task(self.inquiry.run())

    def answer(self) -> None:
        """The worker answers from now on."""
        self.answering = asyncio.create_task(self.reporter.serve())

    def _exposition(self) -> bytes:
        self.scrapes += 1
        return b"seen_total %d\n" % self.scrapes


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """One whose worker answers only when told."""
    one = Pair()
    await one.open()
    yield one
    one.reporter.end()
    if not hasattr(one, "answering"):
        one.answer()
    await one.answering
    await one.asking


async def test_report_says_what_is() -> None:
    """Reasons and connections always; the metrics only when asked for."""
    async with pair() as channel:
        channel.answer()
        assert await channel.inquiry.ask(5) == Report([], 7)
        channel.reasons = ["the registry was not read yet"]
        answer = await channel.inquiry.ask(5, exposition=True)
        assert answer == Report(channel.reasons, 7, "seen_total 1\n")


async def test_questions_at_the_same_time() -> None:
    """Each gets its own answer."""
    async with pair() as channel:
        channel.answer()
        asked = [channel.inquiry.ask(5, exposition=bool(n % 2)) for n in range(6)]
        answers = await asyncio.gather(*asked)
        assert [answer and answer.exposition for answer in answers] == [
            "",
            "seen_total 1\n",
            "",
            "seen_total 2\n",
            "",
            "seen_total 3\n",
        ]


async def test_silent_worker() -> None:
    """No answer in time is None; a late one is taken for no other question's."""
    async with pair() as channel:
        channel.reasons = ["late"]
        assert await channel.inquiry.ask(0.01) is None
        asked = asyncio.create_task(channel.inquiry.ask(5, exposition=True))
        channel.answer()
        answer = await asked
        assert answer is not None
        assert answer.exposition == "seen_total 1\n"


async def test_questions_do_not_pile_up() -> None:
    """A worker that owes answers is asked no more until it gave them."""
    async with pair() as channel:
        for _ in range(50):
            assert await channel.inquiry.ask(0.001) is None
        assert channel.inquiry.owed == 8
        channel.answer()
        await eventually(lambda: channel.inquiry.owed == 0)
        assert await channel.inquiry.ask(5) is not None


async def test_last_word() -> None:
    """A worker that ends says unasked what it counted; then nobody is asked."""
    async with pair() as channel:
        channel.answer()
        channel.reporter.end()
        await channel.asking
        assert channel.inquiry.last_word == Report([], 7, "seen_total 1\n")
        assert await channel.inquiry.ask(5) is None


async def test_worker_that_goes_without_an_answer() -> None:
    """Whoever waits for it is told at once."""
    parent, worker = socket.socketpair()
    inquiry = Inquiry(*await asyncio.open_unix_connection(sock=parent))
    asking = asyncio.create_task(inquiry.run())
    asked = asyncio.create_task(inquiry.ask(60))
    await eventually(lambda: inquiry.owed)
    worker.close()
    assert await asked is None
    await asking
    assert inquiry.last_word is None


@pytest.mark.parametrize("cut", [0, 3])
async def test_parent_that_goes(cut: int) -> None:
    """The worker's end returns, also in the midst of a question."""
    parent, worker = socket.socketpair()
    streams = await asyncio.open_unix_connection(sock=worker)
    reporter = Reporter(*streams, list, lambda: 0, bytes)
    answering = asyncio.create_task(reporter.serve())
    parent.sendall(b"\x00\x00\x00\x09"[:cut])
    parent.close()
    await asyncio.wait_for(answering, 5)
