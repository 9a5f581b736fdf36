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
            self._report,
        )
        self.asking = asyncio.create_task(self.inquiry.run())

    def answer(self) -> None:
        """The worker answers from now on."""
        self.answering = asyncio.create_task(self.reporter.serve())

    def _report(self, exposition: bool) -> Report:
        self.scrapes += exposition
        text = f"seen_total {self.scrapes}\n" if exposition else ""
        return Report(self.reasons, ["the clock is wrong"], 7, text)


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
        assert await channel.inquiry.ask(5) == Report([], ["the clock is wrong"], 7)
        channel.reasons = ["the registry was not read yet"]
        answer = await channel.inquiry.ask(5, exposition=True)
        assert answer == Report(channel.reasons, ["the clock is wrong"], 7, "seen_total 1\n")


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
        assert channel.inquiry.last_word == Report([], ["the clock is wrong"], 7, "seen_total 1\n")
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


async def test_fault_in_the_metrics_ends_the_worker() -> None:
    """A bug is not passed over: whoever runs the worker's end is told."""
    parent, worker = socket.socketpair()
    inquiry = Inquiry(*await asyncio.open_unix_connection(sock=parent))
    asking = asyncio.create_task(inquiry.run())

    def broken(_: bool) -> Report:
        raise ZeroDivisionError

    streams = await asyncio.open_unix_connection(sock=worker)
    answering = asyncio.create_task(Reporter(*streams, broken).serve())
    asked = asyncio.create_task(inquiry.ask(60))
    with pytest.raises(ZeroDivisionError):
        await answering
    streams[1].close()
    assert await asked is None
    await asking


@pytest.mark.parametrize("cut", [0, 3])
async def test_parent_that_goes(cut: int) -> None:
    """The worker's end returns, also in the midst of a question."""
    parent, worker = socket.socketpair()
    streams = await asyncio.open_unix_connection(sock=worker)
    reporter = Reporter(*streams, lambda _: Report([], [], 0))
    answering = asyncio.create_task(reporter.serve())
    parent.sendall(b"\x00\x00\x00\x09"[:cut])
    parent.close()
    await asyncio.wait_for(answering, 5)
