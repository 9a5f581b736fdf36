"""A back-fill as a program: its journal, its way to USPS and to Kafka, and their end."""

import asyncio
import signal
import sys
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
import structlog

from receiver.assembly import way_to_kafka
from receiver.feeds.backfill import Backfill, is_settled, resume
from receiver.feeds.backfill_progress import Estimate, Standing, tell_progress
from receiver.feeds.backfill_summary import Summary
from receiver.feeds.background import Stopped, background, until_signal
from receiver.feeds.journal import OPEN, Journal, forget_journal, open_journal
from receiver.feeds.lookups import LookupPublisher
from receiver.feeds.open_pieces import package_states, plan_open_pieces
from receiver.feeds.registry_in_force import RegistryInForce, existing_topics
from receiver.feeds.rights import Planner
from receiver.feeds.wanted import file_digest, job_key, numbers_in, plan_numbers
from receiver.program import Tools
from receiver.publishing.producer import BROKER_FAULTS
from receiver.usps.client import UspsClient, allowance_of, choose_account, usps_client
from receiver.usps.errors import UspsRefused
from receiver.usps.tracking import LookupOutcome, TrackingApi
from schemas.errors import OperatorError
from schemas.metrics import ReceiverMetrics
from schemas.registry.entities import UspsAccount

log = structlog.get_logger(__name__)
# With the client's delays: an hour of 429, or three minutes of faults.
ATTEMPTS: Final = 10
_EXIT_FAILED: Final = 1
_GOES_ON: Final = "the same command goes on where this one stopped"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator wants: a MID's open pieces, some numbers, or a file of them."""

    mid: str | None = None
    since: datetime | None = None
    numbers: tuple[str, ...] = ()
    file: Path | None = None
    account: str | None = None
    anew: bool = False
    dry_run: bool = False
    as_json: bool = False

    def job(self, account_id: str) -> str:
        """The job's name; of a file what is in it counts. Raises `OperatorError`."""
        if self.file is not None:
            return job_key(account_id, "file", file_digest(self.file))
        if self.mid is not None:
            since = "" if self.since is None else self.since.isoformat()
            return job_key(account_id, "mid", self.mid, since)
        return job_key(account_id, "numbers", *self.numbers)


def run(tools: Tools, wish: Wish) -> int:
    """Runs the job. Returns the exit code; 0 also when SIGTERM ended it."""
    try:
        return asyncio.run(until_signal(Job(tools, wish).run()))
    except Stopped as error:
        _say(f"stopped; {_GOES_ON}")
        return 0 if error.number is signal.SIGTERM else _EXIT_FAILED


class Job:
    """One run of a back-fill."""

    def __init__(self, tools: Tools, wish: Wish) -> None:
        self._tools = tools
        self._wish = wish
        self._names = tools.settings.topics
        self._registry = RegistryInForce(tools.kafka, self._names)

    async def run(self) -> int:
        """The exit code. Raises `OperatorError`."""
        names = self._names
        wanted = (names.registry, names.observed, names.tracking_updates, names.packages)
        partitions = await existing_topics(self._tools.kafka, wanted)
        async with background(self._registry.run()):
            await self._registry.until_read()
            account = choose_account(self._registry.registry, self._wish.account)
            job = self._wish.job(account.id)
            with self._journal(job) as journal:
                await self._plan(journal, partitions[names.packages])
                return await self._carry_out(journal, account, job)

    def _journal(self, job: str) -> AbstractContextManager[Journal]:
        if self._wish.dry_run:
            return closing(Journal.unnamed())
        return open_journal(self._tools.settings.state_directory, job)

    async def _plan(self, journal: Journal, partitions: int) -> None:
        """Writes all numbers down, or goes on with those that are."""
        if journal.planned and not self._wish.anew:
            log.info("backfill_resumed", open=resume(journal))
            return
        wish = self._wish
        with journal.planning() as plan:
            planner = Planner(plan, self._registry.registry, self._tools.clock.now())
            if wish.mid is not None:
                await self._plan_mid(planner, wish.mid, partitions)
            else:
                plan_numbers(planner, wish.numbers if wish.file is None else numbers_in(wish.file))

    async def _plan_mid(self, planner: Planner, mid: str, partitions: int) -> None:
        since = self._wish.since or self._tools.clock.now()
        states = package_states(self._tools.kafka, self._names.packages, partitions)
        try:
            await plan_open_pieces(planner, states, mid, since)
        except BROKER_FAULTS as error:
            raise OperatorError(
                "packages_unreadable",
                f"{self._names.packages} could not be read ({type(error).__name__}); "
                "run the same command again",
            ) from None

    async def _carry_out(self, journal: Journal, account: UspsAccount, job: str) -> int:
        published, refused = (0, 0), None
        if not self._wish.dry_run and journal.counts().get(OPEN):
            async with usps_client(self._tools, account, attempts=ATTEMPTS) as client:
                published, refused = await self._ask(journal, client)
        summary = Summary(job, account.id, journal.counts(), *published)
        if not self._wish.dry_run and is_settled(journal):
            forget_journal(self._tools.settings.state_directory, job)
        return self._tell(summary, refused)

    async def _ask(
        self, journal: Journal, client: UspsClient
    ) -> tuple[tuple[int, int], UspsRefused | None]:
        """What was published, and what ended it before its time, if anything did."""
        updates = self._names.tracking_updates
        broker, door = way_to_kafka(self._tools, ReceiverMetrics(self._tools.metrics), (updates,))
        publisher = LookupPublisher(door, updates, client.timing)
        clock = self._tools.clock
        backfill = Backfill(
            journal, TrackingApi(client.http), publisher, lambda: self._registry.registry, clock
        )

        def look() -> Standing:
            counts = journal.counts()
            total = sum(counts.values())
            done = total - counts.get(OPEN, 0)
            waits = publisher.waits_for_broker
            return Standing(done, total, client.quota.waiting_seconds, waits)

        estimate = Estimate(clock, allowance_of(self._tools), look().done)
        refused = None
        async with background(broker.run()), background(tell_progress(look, estimate)):
            try:
                await backfill.run()
            except UspsRefused as error:
                refused = error
        return (publisher.updates, publisher.events), refused

    def _tell(self, summary: Summary, refused: UspsRefused | None) -> int:
        if self._wish.as_json:
            document = summary.document(allowance_of(self._tools))
            text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
        else:
            text = summary.text(allowance_of(self._tools))
        sys.stdout.write(f"{text}\n")
        if refused is not None:
            _say(f"{refused.detail}; {_GOES_ON}")
            return _EXIT_FAILED
        return _EXIT_FAILED if summary.counts.get(LookupOutcome.UNREADABLE.value) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 -- the operator reads stderr
