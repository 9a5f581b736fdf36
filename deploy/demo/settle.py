"""Waits until nothing is under way any more, and draws up the ledger then."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer

from deploy.demo.stage import Stage
from processors.administration import administration
from processors.ledger.books import Books
from processors.ledger.draw_up import Bookkeeper
from processors.ledger.equations import equations_of
from processors.ledger.fold import Range
from processors.ledger.read import READER_OPTIONS
from processors.ledger.statement import in_flight
from schemas.follow import RegistryFollower
from schemas.registry.index import Registry
from schemas.registry.log import RegistryLog

SETTLE_SECONDS: Final = 90.0
_LOOK_EVERY_SECONDS: Final = 0.5
# A stage may count the end of a transaction as one record; the ledger looks closely.
_NEARLY_NOTHING: Final = 20


async def settle(stage: Stage) -> tuple[Books, Registry]:
    """The books when all is settled, or as they stand after 90 s; and the registry in force."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    async with (
        administration(stage.kafka) as admin,
        AIOKafkaConsumer(**{**stage.kafka.reader(), **READER_OPTIONS}) as reader,
    ):
        log = RegistryLog()
        await RegistryFollower(reader, stage.settings.topics, log).catch_up()
        keeper = Bookkeeper(admin, reader, stage.kafka, log)
        while True:
            late = asyncio.get_running_loop().time() >= deadline
            if not late and not await _quiet(stage):
                continue
            books, _ = await keeper.draw_up(Range(), datetime.now(UTC))
            if late or _done(books):
                return books, log.registry
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def _quiet(stage: Stage) -> bool:
    """Whether every stage says that hardly anything waits; if not, a moment passes."""
    reading = await stage.look()
    if sum(reading.lags.values()) <= _NEARLY_NOTHING:
        return True
    await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return False


def _done(books: Books) -> bool:
    return not any(under_way(books).values()) and all(
        equation.holds for equation in equations_of(books)
    )


def under_way(books: Books) -> Mapping[str, int]:
    """What is still in flight, by stage and destination."""
    return {name: count for name, count in in_flight(books).items() if count}
