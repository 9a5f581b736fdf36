"""One worker process, as its parent sees it."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from typing import Final, Self

import structlog

from receiver.workers.handover import hand_over
from receiver.workers.reports import Inquiry, Report
from schemas.metrics import WorkersMetrics

log = structlog.get_logger(__name__)
ASK_EVERY_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 2.0


class WorkerProcess:
    """From its start to its end. `report` is its latest, None while it does not answer."""

    def __init__(
        self,
        metrics: WorkersMetrics,
        number: int,
        process: Process,
        connections: socket.socket,
        inquiry: Inquiry,
    ) -> None:
        self.number = number
        self._handed_in_all = metrics.connections.labels(str(number))
        self.report: Report | None = None
        self._answered_once = False
        self._process = process
        self._connections = connections
        self._handed = 0
        self._inquiry = inquiry
        self._reading = asyncio.create_task(inquiry.run())
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def start(cls, metrics: WorkersMetrics, number: int) -> Self:
        """A fresh interpreter. Raises `OSError`."""
        connections, their_connections = socket.socketpair()
        reports, their_reports = socket.socketpair()
        connections.setblocking(False)
        with their_connections, their_reports:
            descriptors = their_connections.fileno(), their_reports.fileno()
            try:
                process = await asyncio.create_subprocess_exec(
                    *command(number, *descriptors), stdin=DEVNULL, pass_fds=descriptors
                )
            except OSError:
                connections.close()
                reports.close()
                raise
        inquiry = Inquiry(*await asyncio.open_unix_connection(sock=reports))
        log.info("worker_started", worker=number, pid=process.pid)
        return cls(metrics, number, process, connections, inquiry)

    @property
    def pid(self) -> int:
        """The operating system's number."""
        return self._process.pid

    @property
    def answers(self) -> bool:
        """False while it starts or hangs."""
        return self.report is not None

    @property
    def burden(self) -> tuple[bool, int]:
        """Whether it is not ready, and its connections by its latest report and since."""
        if self.report is None:
            return True, self._handed
        return bool(self.report.reasons), self.report.connections + self._handed

    def take(self, connection: socket.socket) -> bool:
        """Hands a connection over; False if it cannot take one now."""
        taken = hand_over(self._connections, connection)
        self._handed += taken
        self._handed_in_all.inc(taken)
        return taken

    def readiness(self) -> Sequence[str]:
        """Why it is not ready."""
        if self.report is not None:
            return self.report.reasons
        return ["does not answer" if self._answered_once else "is starting"]

    def notes(self) -> Sequence[str]:
        """What else is wrong with it."""
        return [] if self.report is None else self.report.notes

    async def exposition(self) -> str | None:
        """Its metrics, if it answers in time."""
        report = await self._inquiry.ask(ANSWER_SECONDS, exposition=True)
        return None if report is None else report.exposition

    async def wait(self) -> tuple[int, str | None]:
        """Its exit code (below 0: the signal) and its last metrics, if it ended well."""
        code = await self._process.wait()
        await self._reading
        self._watching.cancel()
        self._connections.close()
        last = self._inquiry.last_word
        return code, None if last is None else last.exposition

    def send(self, number: signal.Signals) -> None:
        """SIGTERM: finish what was taken, and end."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _watch(self) -> None:
        while True:
            report = await self._inquiry.ask(ANSWER_SECONDS)
            if report is None and self.report is not None:
                log.error("worker_silent", worker=self.number, pid=self.pid)
            self._answered_once |= report is not None
            self.report, self._handed = report, 0
            await asyncio.sleep(ASK_EVERY_SECONDS)


def command(number: int, connections: int, reports: int) -> Sequence[str]:
    """What starts a worker: this interpreter and package; its end of each channel by number."""
    # -m puts the working directory first on the path of modules; not where we have it not.
    isolated = [] if os.getcwd() in sys.path else ["-P"]  # noqa: PTH109 -- compared as text
    numbers = (str(number), str(connections), str(reports))
    return [sys.executable, *isolated, "-m", "receiver", "worker", *numbers]
