"""Drains the spool by itself: lane by lane, in order, a little at a time."""

import asyncio
from contextlib import suppress
from typing import Final

from receiver.publishing.broker import Broker
from receiver.publishing.publish import GroupCommit
from receiver.spool.spool import Spool

# What one lane gets at a time, and all together that is not written yet: memory stays flat
# however much waits, and a batch of it never holds up live traffic for long.
CHUNK_BYTES: Final = 256 * 1024
WINDOW_BYTES: Final = 16 * 1024 * 1024
# To see that the broker is back, and that a disk can be read again.
LOOK_SECONDS: Final = 0.2


class Drain:
    """Feeds the door with what the spool has, while the broker answers."""

    def __init__(self, broker: Broker, door: GroupCommit, spool: Spool) -> None:
        self._broker = broker
        self._door = door
        self._spool = spool
        self._wake = asyncio.Event()
        spool.on_change = self._wake.set

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            await self._turn()

    async def _turn(self) -> None:
        """Each lane gets its next chunk, if it has none waiting."""
        for lane in tuple(self._door.lanes()):
            if not lane.may_read or not self._broker_answers or self._window_is_full:
                continue
            read_to, expected = lane.read_to, lane.unread - lane.uncommitted
            rows = await self._spool.read(lane.partition, read_to, CHUNK_BYTES)
            if rows is not None and lane.read_to == read_to:
                self._door.feed(lane, rows, expected)

    @property
    def _broker_answers(self) -> bool:
        return self._broker.producer is not None and not self._broker.suspected

    @property
    def _window_is_full(self) -> bool:
        return self._door.drained_bytes >= WINDOW_BYTES
