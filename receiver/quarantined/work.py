"""What the verbs of `quarantine` do, between the command line and Kafka."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.check import read_registry
from receiver.following.subscriptions import Resolved, SubscriptionTable, resolve_subscriptions
from receiver.judging.commissioning import Commissioning
from receiver.judging.judge import Judge
from receiver.judging.tallies import Tallies
from receiver.program import Tools
from receiver.quarantined.kept import Kept, Names, Position, Selection
from receiver.quarantined.listing import Listing, details
from receiver.quarantined.log import QuarantineLog, faults_told, quarantine_log, topics_found
from receiver.quarantined.progress import Progress
from receiver.quarantined.resubmission import FixedTable, Resubmission, Send, send_nothing
from receiver.quarantined.sender import sender
from schemas.metrics import ReceiverMetrics
from schemas.records import QuarantineReason


@dataclass(frozen=True, slots=True)
class Asked:
    """What the operator means; ids, or filters, or both.

    Attributes:
        subscriptions: Our names or USPS's ids.
    """

    positions: Sequence[Position] = ()
    reasons: frozenset[QuarantineReason] = frozenset()
    subscriptions: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def selection(self, names: Names) -> Selection:
        """With names resolved."""
        ids = frozenset().union(*map(names.ids_of, self.subscriptions))
        return Selection(self.reasons, ids, self.since, self.until)


async def list_kept(tools: Tools, asked: Asked, limit: int) -> Listing:
    """Reads the whole topic. Raises `OperatorError`."""
    with faults_told(tools):
        topics = await topics_found(tools)
        names = _names((await _resolved(tools)).table)
        listing = Listing(names, limit)
        partitions = topics[tools.settings.topics.quarantine].partitions
        async with quarantine_log(tools, partitions) as log:
            async for portion in _meant(log, asked, names, tools):
                for kept in portion:
                    listing.take(kept)
        return listing


async def show(tools: Tools, position: Position) -> tuple[Kept, dict[str, Any]]:
    """One record, and what is told of it. Raises `OperatorError`."""
    with faults_told(tools):
        topics = await topics_found(tools)
        table = (await _resolved(tools)).table
        partitions = topics[tools.settings.topics.quarantine].partitions
        async with quarantine_log(tools, partitions) as log:
            [kept] = await log.fetch([position])
        secrets = {
            secret.decode() for subscription in table.values() for secret in subscription.secrets
        }
        return kept, details(kept, _names(table), secrets)


async def resubmit(tools: Tools, asked: Asked, limit: int, *, dry_run: bool) -> Resubmission:
    """Judges all that is meant again, and publishes what verifies. Raises `OperatorError`."""
    with faults_told(tools):
        topics = await topics_found(tools)
        updates = topics[tools.settings.topics.tracking_updates]
        resolved = await _resolved(tools)
        for problem in resolved.problems:
            sys.stderr.write(f"{problem}\n")
        async with AsyncExitStack() as stack:
            partitions = topics[tools.settings.topics.quarantine].partitions
            log = await stack.enter_async_context(quarantine_log(tools, partitions))
            send: Send = send_nothing
            if not dry_run:
                opened = sender(tools.kafka, updates.partitions)
                send = await stack.enter_async_context(opened)
            judge = _judge(tools, resolved.table)
            resubmission = Resubmission(judge, send, updates.max_bytes, limit)
            async for portion in _meant(log, asked, _names(resolved.table), tools):
                await resubmission.take(portion)
        return resubmission


async def _meant(
    log: QuarantineLog, asked: Asked, names: Names, tools: Tools
) -> AsyncIterator[Sequence[Kept]]:
    """What is asked for, portion by portion."""
    selection = asked.selection(names)
    if asked.positions:
        named = await log.fetch(asked.positions)
        yield [kept for kept in named if selection.takes(kept)]
        return
    progress = Progress(tools.clock, log.size)
    async for portion in log.portions():
        yield [kept for kept in portion if selection.takes(kept)]
        progress.advance(len(portion))
    if log.unreadable:
        sys.stderr.write(f"{log.unreadable} records are none of scanwire's and were passed over\n")


async def _resolved(tools: Tools) -> Resolved:
    return resolve_subscriptions(await read_registry(tools), tools.secrets)


def _names(table: SubscriptionTable) -> Names:
    return Names({its_id: subscription.name for its_id, subscription in table.items()})


def _judge(tools: Tools, table: SubscriptionTable) -> Judge:
    """The receiver's own. Its counts go nowhere: they are of callbacks that come in."""
    metrics = ReceiverMetrics(tools.metrics)
    commissioning = Commissioning(tools.clock, metrics)
    return Judge(tools.settings, FixedTable(table), Tallies(metrics), commissioning)
