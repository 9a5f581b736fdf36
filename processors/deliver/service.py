"""`scanwire-processors sinks` and `sink ID`: the program around the destinations."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient

from processors.deliver.keeper import Keeper, State
from processors.deliver.lag import LOOK_SECONDS as LAG_SECONDS
from processors.deliver.lag import LagWatch
from processors.deliver.producer import AuditProducer
from processors.deliver.recorder import BROKER_FAULTS, Recorder
from processors.deliver.shared import Logs, Shared, TopicDirectory
from processors.deliver.supervisor import Ours, Supervisor
from processors.program import Tools
from schemas.errors import OperatorError
from schemas.follow import RegistryFollower, keep_running
from schemas.kafka_clients import make_consumer
from schemas.metrics import RegistryMetrics, SinkMetrics
from schemas.registry.log import RegistryLog

log = structlog.get_logger(__name__)
TRY_SECONDS: Final = 1.0
SECRETS_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 5.0


class SinksService:
    """Runs every enabled destination that is `ours`; a `processors.program.Service`."""

    def __init__(self, tools: Tools, ours: Ours, only: str | None = None) -> None:
        self._tools = tools
        self._ours = ours
        self._only = only  # the one destination that was asked for by its id
        self._metrics = SinkMetrics(tools.metrics)
        self._revision = RegistryMetrics(tools.metrics).revision
        self._waiting_for = "the broker"
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._recorder: Recorder | None = None
        self._supervisor: Supervisor | None = None

    async def run(self) -> None:
        """Works until `stop`."""
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    async def stop(self) -> None:
        """Asks `run` to finish what is in hand."""
        self._stopping.set()

    def readiness(self) -> Sequence[str]:
        """The broker and the registry; a destination that is stopped stops no other."""
        if self._waiting_for:
            return [f"waiting for {self._waiting_for}"]
        if self._recorder is not None and self._recorder.silent():
            return ["the broker does not acknowledge the records of deliveries"]
        return []

    def notes(self) -> Sequence[str]:
        """Destinations that do not run, a sentence each."""
        keepers: Sequence[Keeper] = list(self._supervisor.keepers()) if self._supervisor else []
        return [
            f"destination {keeper.destination.id} is {keeper.state.value}: {keeper.reason}"
            for keeper in keepers
            if keeper.state is not State.RUNNING and keeper.reason
        ]

    async def _work(self) -> None:
        async with AsyncExitStack() as stack:
            shared, follower, admin = await self._connected(stack)
            self._check_only(shared.registry_log)
            supervisor = self._supervisor = Supervisor(
                shared.registry_log,
                self._ours,
                lambda destination: Keeper(destination, shared),
                self._metrics,
            )
            stack.push_async_callback(_let_go, supervisor, shared.recorder)
            self._waiting_for = ""
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(keep_running(follower.run, "registry_follower"))
                tasks.create_task(self._reconcile(supervisor, shared.registry_log))
                watch = partial(_watch_lag, supervisor, LagWatch(admin, shared))
                tasks.create_task(keep_running(watch, "lag_watch"))
                tasks.create_task(self._watch_secrets(supervisor))
                tasks.create_task(shared.recorder.watch())

    def _check_only(self, registry_log: RegistryLog) -> None:
        if self._only is None:
            return
        destination = registry_log.registry.destination(self._only)
        if destination is None or not destination.enabled:
            what = "is not in the registry" if destination is None else "is declared not enabled"
            raise OperatorError(
                "no_such_destination",
                f"destination {self._only} {what}; `registry show destination` lists all",
            )

    async def _connected(
        self, stack: AsyncExitStack
    ) -> tuple[Shared, RegistryFollower, AIOKafkaAdminClient]:
        """Tries until the broker answers, the topics are there and the registry is read."""
        while True:
            async with AsyncExitStack() as attempt:
                try:
                    made = await self._connect(attempt)
                except BROKER_FAULTS as error:
                    log.warning("broker_not_ready", error=type(error).__name__)
                else:
                    await stack.enter_async_context(attempt.pop_all())
                    return made
            await asyncio.sleep(TRY_SECONDS)

    async def _connect(
        self, stack: AsyncExitStack
    ) -> tuple[Shared, RegistryFollower, AIOKafkaAdminClient]:
        tools, names = self._tools, self._tools.settings.topics
        self._waiting_for = "the broker"
        admin = AIOKafkaAdminClient(**tools.kafka.client())
        stack.push_async_callback(admin.close)
        await admin.start()
        topics = TopicDirectory(admin, tools.clock)
        written = (names.deliveries, names.dead_letters, names.withheld, names.observed)
        await self._wait_for_topics(topics, (*written, names.registry))
        self._waiting_for = "the registry to be read"
        reader = make_consumer(**tools.kafka.reader())
        stack.push_async_callback(reader.stop)
        await reader.start()
        registry_log = RegistryLog(self._changed.set)
        follower = RegistryFollower(reader, names, registry_log)
        await follower.catch_up()
        logs = Logs(tools.kafka)
        stack.push_async_callback(logs.stop)
        await logs.start()
        recorder = Recorder(lambda: AuditProducer(tools.kafka), written, tools.clock)
        stack.push_async_callback(recorder.stop)
        await recorder.start()
        self._recorder = recorder
        shared = Shared(
            tools, registry_log, recorder, logs, topics, self._metrics, random.SystemRandom().random
        )
        return shared, follower, admin

    async def _wait_for_topics(self, topics: TopicDirectory, needed: Sequence[str]) -> None:
        while missing := await topics.missing(needed):
            waiting_for = f"topics ({', '.join(missing)}): run `scanwire-processors topics`"
            if waiting_for != self._waiting_for:
                self._waiting_for = waiting_for
                log.warning("topics_missing", topics=missing)
            await asyncio.sleep(TRY_SECONDS)

    async def _reconcile(self, supervisor: Supervisor, registry_log: RegistryLog) -> None:
        while True:
            self._changed.clear()
            self._revision.set(registry_log.registry.revision)
            supervisor.reconcile()
            await self._changed.wait()

    async def _watch_secrets(self, supervisor: Supervisor) -> None:
        while True:
            await asyncio.sleep(SECRETS_SECONDS)
            if self._tools.secrets.refresh():
                log.info("secrets_changed")
                supervisor.refresh()


async def _watch_lag(supervisor: Supervisor, watch: LagWatch) -> None:
    while True:
        await watch.look(list(supervisor.keepers()))
        await asyncio.sleep(LAG_SECONDS)


async def _let_go(supervisor: Supervisor, recorder: Recorder) -> None:
    """What is in hand is finished before the connections close."""
    await supervisor.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(WRITE_SECONDS):
            await recorder.flush()
