"""The way of groups into the spool and out of it, and what is counted of it in their lanes."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from receiver.publishing.door import Outcome, OutgoingRecord
from receiver.publishing.flights import Flights
from receiver.publishing.lanes import Group, Lane
from receiver.spool.rows import Row, to_record
from receiver.spool.spool import Spool

log = structlog.get_logger(__name__)
# Kept in time by any disk that works; longer nobody waits for one that does not.
SPOOL_TIMEOUT_SECONDS: Final = 3.0
_AGAIN_SECONDS: Final = 1.0

Settle = Callable[[Group, Outcome], None]
# What is to be written in place of a record that the broker will never take; None: nothing can.
Instead = Callable[[OutgoingRecord], OutgoingRecord | None]


class SpoolWay:
    """Copies what the broker did not take, and follows what is drained to its end.

    Attributes:
        drained_bytes: Of what was read from the spool and is not written yet.
    """

    def __init__(
        self,
        spool: Spool,
        flights: Flights,
        settle: Settle,
        lane_of: Callable[[OutgoingRecord], Lane],
        instead: Instead,
    ) -> None:
        self._spool = spool
        self._flights = flights
        self._settle = settle
        self._lane_of = lane_of
        self._instead = instead
        self.drained_bytes = 0

    def copy(self, lane: Lane, group: Group) -> None:
        """Behind all that the lane has there. Who waits is answered when it is durable."""
        group.open = False
        group.stop_timer()
        lane.unread += len(group.records)
        lane.uncommitted += len(group.records)
        done = partial(self._copied, lane, group)
        group.copy = self._spool.put(lane.partition, group.records, done)
        loop = asyncio.get_running_loop()
        group.timer = loop.call_later(SPOOL_TIMEOUT_SECONDS, self._too_slow, group)

    def group_of(self, lane: Lane, rows: Sequence[Row]) -> Group | None:
        """The lane's next rows as a group to be written. None if none of them can be."""
        fresh = [row for row in rows if row.seq > lane.read_to]
        if not fresh:
            return None
        lane.read_to = fresh[-1].seq
        lane.unread -= len(fresh)
        intact = [row for row in fresh if row.intact]
        for row in fresh:
            if not row.intact:
                self._spool.damaged(row.seq)
        if not intact:
            return None
        size = sum(row.size for row in intact)
        self.drained_bytes += size
        return Group.drained([(row.seq, to_record(row)) for row in intact], size)

    def missing(self, lane: Lane, count: int) -> None:
        """The spool has not one record of so many: its file was damaged."""
        log.error("spool_records_missing", lane=lane.partition, records=count)
        lane.unread -= count

    def written(self, lane: Lane, group: Group) -> None:
        """The broker has it: the spool need not any more."""
        if group.seqs:
            self._end(group)
            self._spool.delivered(lane.partition, group.seqs[-1], len(group.seqs))
        elif group.copy is not None:
            group.copy.written = True
            self._skip(lane, group)

    def refused(self, lane: Lane, group: Group) -> None:
        """The broker will never take this record, which was answered 200: it is set aside."""
        self._end(group)
        [record], [seq] = group.records, group.seqs
        instead = self._instead(record)
        if instead is None:
            log.error("spool_record_parked", lane=lane.partition, reason="record_too_large")
            self._spool.park(seq)
            self._flights.want(lane)
        else:
            lane.held = True
            self._replace(lane, seq, instead)

    def _end(self, group: Group) -> None:
        group.stop_timer()
        group.settled = True
        self.drained_bytes -= group.size

    def _replace(self, lane: Lane, seq: int, instead: OutgoingRecord) -> None:
        other = self._lane_of(instead)
        other.unread += 1
        other.uncommitted += 1
        done = partial(self._replaced, lane, seq, instead, other)
        self._spool.put(other.partition, [instead], done)

    def _replaced(
        self, lane: Lane, seq: int, instead: OutgoingRecord, other: Lane, kept: bool
    ) -> None:
        other.uncommitted -= 1
        if kept:
            self._spool.delivered(lane.partition, seq, 1)
            lane.held = False
            self._flights.want(lane)
        else:
            other.unread -= 1
            loop = asyncio.get_running_loop()
            loop.call_later(_AGAIN_SECONDS, self._replace, lane, seq, instead)

    def _copied(self, lane: Lane, group: Group, kept: bool) -> None:
        lane.uncommitted -= len(group.records)
        if not kept:
            lane.unread -= len(group.records)
        if not group.settled:
            self._settle(group, Outcome.WRITTEN if kept else Outcome.NOT_KNOWN)
        self._skip(lane, group)
        self._go_on(lane)

    def _skip(self, lane: Lane, group: Group) -> None:
        """A copy of what was written after all is forgotten, unless it was read already."""
        copy = group.copy
        if copy is None or not (copy.kept and copy.written) or copy.first_seq <= lane.read_to:
            return
        lane.read_to = copy.last_seq
        lane.unread -= copy.count
        self._spool.delivered(lane.partition, copy.last_seq, copy.count)
        self._go_on(lane)

    def _go_on(self, lane: Lane) -> None:
        if not lane.unread and lane.waiting:
            self._flights.want(lane)

    def _too_slow(self, group: Group) -> None:
        if not group.settled:
            self._spool.too_slow()
            self._settle(group, Outcome.NOT_KNOWN)
