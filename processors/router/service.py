"""The router as a program: the registry's view, the merchants' writer, the loop."""

import asyncio
import gc
from collections.abc import Awaitable, Sequence
from typing import Final

import structlog
from aiokafka.structs import TopicPartition

from processors.consume import TransactionLoop
from processors.consume.errors import BROKER_TROUBLE
from processors.program import Tools
from processors.router.merchant_writer import MerchantWriter
from processors.router.stage import PROGRAM, RouterStage
from processors.router.view import RegistryView
from schemas.metrics import RegistryMetrics, RouterMetrics
from schemas.registry.index import Registry

log = structlog.get_logger(__name__)
LEARN_PAUSE_SECONDS: Final = 1.0
# A batch makes tens of thousands of objects and no cycle: the default of 700 looks too often.
COLLECT_EVERY_OBJECTS: Final = 50_000


class Router:
    """A `program.Service`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._metrics = RouterMetrics(tools.metrics)
        self._revision = RegistryMetrics(tools.metrics).revision
        self._stopping = asyncio.Event()
        self._merchants: set[str] = set()
        self._merchants_changed = asyncio.Event()
        self._writer = MerchantWriter(tools.kafka)
        self._view = RegistryView(tools.kafka, self._registry_changed)
        self._loop = self._make_loop()

    async def run(self) -> None:
        """1. The registry is read. 2. Events are routed, while the registry is followed."""
        work = asyncio.create_task(self._route())
        background = [
            asyncio.create_task(self._view.run()),
            asyncio.create_task(self._learn_merchants()),
        ]
        try:
            done, _ = await asyncio.wait([work, *background], return_when=asyncio.FIRST_COMPLETED)
            if work not in done:
                await self.stop()  # following ends only by a bug, which is raised below
            await work
            for task in done:
                await task
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._writer.close()

    async def _route(self) -> None:
        await self._until_stop(self._view.first_revision())
        if self._stopping.is_set():
            return
        # What was read stays; looking at it again and again would cost pauses.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_EVERY_OBJECTS)
        await self._loop.run()

    async def stop(self) -> None:
        """Finishes the batches in hand and returns from `run`."""
        self._stopping.set()
        await self._loop.stop()

    def readiness(self) -> Sequence[str]:
        """The registry first: nothing is read before it."""
        return self._view.readiness() or self._loop.readiness()

    def _make_loop(self) -> TransactionLoop:
        names = self._tools.settings.topics
        return TransactionLoop(
            self._tools,
            group=PROGRAM,
            topic=names.scan_events,
            outputs=[names.decisions, names.withheld],
            needs=[names.dead_letters],
            make_stage=self._make_stage,
            on_lag=lambda partition, lag: self._metrics.lag.labels(str(partition)).set(lag),
            on_batch_seconds=self._metrics.batch_seconds.observe,
            on_abort=self._metrics.aborted.inc,
            on_lost=lambda partition, lost: self._metrics.lost.labels(str(partition)).set(lost),
        )

    def _make_stage(self, partition: TopicPartition) -> RouterStage:
        del partition  # nothing is kept per partition
        return RouterStage(
            self._tools.settings.topics,
            self._registry,
            self._writer,
            self._tools.clock,
            self._metrics,
        )

    def _registry(self) -> Registry:
        assert self._view.registry is not None  # the loop runs only afterwards
        return self._view.registry

    def _registry_changed(self, registry: Registry) -> None:
        self._revision.set(registry.revision)
        merchants = {merchant.entity_id for merchant in registry.all("merchant")}
        if merchants != self._merchants:
            self._merchants = merchants
            self._merchants_changed.set()

    async def _learn_merchants(self) -> None:
        """Announces merchants' topics before their first event; apply made them first."""
        while True:
            await self._merchants_changed.wait()
            self._merchants_changed.clear()
            try:
                await self._writer.learn(self._merchants)
            except BROKER_TROUBLE as error:
                # The writer looks again when an event is to be written.
                log.warning("merchant_topics_not_learnt", error=type(error).__name__)
                await asyncio.sleep(LEARN_PAUSE_SECONDS)

    async def _until_stop(self, work: Awaitable[None]) -> None:
        """Awaits it, at most until `stop`."""
        waiting = [asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
