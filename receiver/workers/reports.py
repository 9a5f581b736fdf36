"""How a worker tells its parent how it is: question and answer over a private socket pair.

A frame is four bytes of length and a JSON document. The parent asks `{"number", "exposition"}`,
the worker answers with that number and its report; a number of 0 is its last word, unasked.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

_LENGTH_BYTES: Final = 4
_LAST_WORD: Final = 0
# A worker that owes so many answers is asked no more, so that nothing piles up before it.
_MAX_OWED: Final = 8
_LAST_WORD_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says of itself: why it is not ready, what else is wrong, metrics if asked.

    `connections`: how many are open.
    """

    reasons: Sequence[str]
    notes: Sequence[str]
    connections: int
    exposition: str = ""


# A report as it is now; with metrics if True.
MakeReport = Callable[[bool], Report]


class Inquiry:
    """The parent's end: asks, and gives up an answer that takes too long."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[Report]] = {}
        self._asked = self._answered = 0
        self.last_word: Report | None = None

    @property
    def owed(self) -> int:
        """Answers that did not come yet."""
        return self._asked - self._answered

    async def ask(self, seconds: float, *, exposition: bool = False) -> Report | None:
        """A report, or None if there is none within so many seconds."""
        if self.owed >= _MAX_OWED or self._writer.is_closing():
            return None
        self._asked += 1
        number = self._asked
        answer: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            _write(self._writer, {"number": number, "exposition": exposition})
            async with asyncio.timeout(seconds):
                return await answer
        except (TimeoutError, ConnectionError):
            return None
        finally:
            self._waiting.pop(number, None)

    async def run(self) -> None:
        """Takes answers in until the worker's end closes."""
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    self._take(await _read(self._reader))
        finally:
            self._writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError())

    def _take(self, document: dict[str, Any]) -> None:
        number = document.pop("number")
        report = Report(**document)
        if number == _LAST_WORD:
            self.last_word = report
            return
        self._answered += 1
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(report)


class Reporter:
    """The worker's end: answers until it is ended, or the parent is gone."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        report: MakeReport,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._report = report
        self._ended = asyncio.Event()

    async def serve(self) -> None:
        """Answers; at the end says, unasked, what was counted in all."""
        answering = asyncio.create_task(self._answer())
        ending = asyncio.create_task(self._ended.wait())
        await asyncio.wait([answering, ending], return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
        for task in (answering, ending):
            task.cancel()
        if self._writer.is_closing():  # the parent is gone
            return
        with suppress(ConnectionError, TimeoutError):
            _write(self._writer, {"number": _LAST_WORD, **asdict(self._report(True))})
            self._writer.close()
            async with asyncio.timeout(_LAST_WORD_SECONDS):
                await self._writer.wait_closed()

    def end(self) -> None:
        """No more answers."""
        self._ended.set()

    async def _answer(self) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                question = await _read(self._reader)
                report = self._report(question["exposition"])
                _write(self._writer, {"number": question["number"], **asdict(report)})
                await self._writer.drain()


def _write(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    body = orjson.dumps(document)
    writer.write(len(body).to_bytes(_LENGTH_BYTES) + body)


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
    document: dict[str, Any] = orjson.loads(await reader.readexactly(length))
    return document
