"""`scanwire-processors packages`: from tracking updates to new scan events and states."""

import argparse
import gc
from typing import Any, Final

import uvloop
from aiokafka.structs import TopicPartition

from processors.consume import TransactionLoop
from processors.packages.restore import Restorer
from processors.packages.stage import PROGRAM, PackagesStage
from processors.packages.store import StateStore
from processors.program import Tools, run_service
from schemas.metrics import PackagesMetrics

ADMIN_PORT: Final = 9101
# Batches make many short-lived objects and no cycles: collect seldom.
GC_THRESHOLDS: Final = (100_000, 20, 20)


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's subparsers have no public type
    """Adds the command."""
    parser = commands.add_parser(
        "packages", help="finds new scan events in tracking updates and keeps each piece's state"
    )
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace, tools: Tools) -> int:
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    uvloop.run(_serve(tools))
    return 0


async def _serve(tools: Tools) -> None:
    await run_service(packages_loop(tools), tools, PROGRAM, ADMIN_PORT)


def packages_loop(tools: Tools) -> TransactionLoop:
    """The program's work, ready to be run."""
    names = tools.settings.topics
    metrics = PackagesMetrics(tools.metrics)
    folder = tools.settings.state_directory / PROGRAM / f"topics-{names.prefix}"

    def make_stage(place: TopicPartition) -> PackagesStage:
        store = StateStore(folder / f"partition-{place.partition}")
        states = TopicPartition(names.packages, place.partition)
        restorer = Restorer(tools.kafka, states, store, metrics.restored.inc)
        return PackagesStage(
            names, place, store=store, restorer=restorer, clock=tools.clock, metrics=metrics
        )

    return TransactionLoop(
        tools,
        group=PROGRAM,
        topic=names.tracking_updates,
        outputs=[names.scan_events, names.packages],
        needs=[names.dead_letters],
        make_stage=make_stage,
        on_lag=lambda partition, records: metrics.lag.labels(str(partition)).set(records),
        on_batch_seconds=metrics.batch_seconds.observe,
        on_abort=metrics.aborted.inc,
        on_lost=lambda partition, lost: metrics.lost.labels(str(partition)).set(lost),
    )
