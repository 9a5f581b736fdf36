"""The parent of several workers: one public port, one admin port, and the order of their end."""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
import uvloop

from receiver.ending import Ending
from receiver.ports import AdminServer, listen_on_both, where
from receiver.program import Tools
from receiver.server import grace_seconds
from receiver.workers.front import Front, Taker
from receiver.workers.process import WorkerProcess
from receiver.workers.scrape import Scrape
from receiver.workers.slot import FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS, BackOff, Slot
from schemas.admin import create_app_of
from schemas.metrics import WorkersMetrics

log = structlog.get_logger(__name__)
# For what follows the last answer: the worker's clients of the broker, and its last word.
_SPARE_SECONDS: Final = 5.0


def run(tools: Tools) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code; raises `OperatorError`."""
    public, admin = listen_on_both(tools.settings)
    with public, admin, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Parent(tools, public, admin).serve())
    return 0


class Parent:
    """Starts the workers, accepts for them, answers for them, ends them."""

    def __init__(self, tools: Tools, public: socket.socket, admin: socket.socket) -> None:
        numbers = range(tools.settings.receiver_workers)
        metrics = WorkersMetrics(tools.metrics)
        scrape = Scrape(numbers, tools.metrics, metrics)
        self._grace = grace_seconds(tools.settings) + _SPARE_SECONDS
        self._slots = [
            Slot(
                number,
                partial(WorkerProcess.start, metrics),
                scrape,
                metrics,
                BackOff(tools.clock, FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS),
            )
            for number in numbers
        ]
        self._front = Front(public, self._takers)
        self._admin = AdminServer(
            create_app_of(self._readiness, scrape.exposition, self._notes), admin
        )
        self._told = {"public": where(public), "admin": where(admin)}
        self._ending = Ending()

    async def serve(self) -> None:
        """Until SIGTERM, or until a part of it fails, which is raised."""
        self._ending.begin_on_signals()
        keeping = [asyncio.create_task(slot.run()) for slot in self._slots]
        observing = asyncio.create_task(self._admin.serve())
        self._front.begin()
        log.info("receiver_started", workers=len(self._slots), **self._told)
        try:
            await self._ending.wait([*keeping, observing])
        finally:
            # Not ready, and nothing new taken; the workers finish theirs; then the rest.
            self._ending.begin()
            self._front.end()
            await self._end_workers(keeping)
            self._admin.end()
            await asyncio.wait([observing])
        log.info("receiver_stopped")

    def _takers(self) -> Sequence[Taker]:
        workers = [slot.worker for slot in self._slots]
        return [worker for worker in workers if worker is not None and worker.answers]

    def _readiness(self) -> Sequence[str]:
        # Connections are spread over all, so that one which is not ready is felt.
        if self._ending.begun:
            return ["shutting down"]
        return [reason for slot in self._slots for reason in slot.readiness()]

    def _notes(self) -> Sequence[str]:
        return [note for slot in self._slots for note in slot.notes()]

    async def _end_workers(self, keeping: Sequence["asyncio.Task[None]"]) -> None:
        ends = [asyncio.create_task(slot.end(self._grace)) for slot in self._slots]
        await asyncio.wait(keeping)
        for end in ends:
            end.cancel()
