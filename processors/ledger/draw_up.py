"""Draws up the books: takes a cut, then reads every topic once, in the order that folding needs."""

from collections.abc import Callable
from datetime import datetime

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord

from processors.ledger.books import Books, DestinationBook
from processors.ledger.fold import PACKAGES, ROUTER, Folder, Range
from processors.ledger.positions import Cut, destinations_of, take_cut
from processors.ledger.read import records_of
from processors.ledger.retained import retained_since
from schemas.kafka import KafkaOptions
from schemas.registry.index import Registry
from schemas.registry.log import RegistryLog
from schemas.registry.observed import ObservedKind, ObservedStart


class Bookkeeper:
    """Reads one cluster's topics. The reader belongs to no group and reads committed records."""

    def __init__(
        self,
        admin: AIOKafkaAdminClient,
        reader: AIOKafkaConsumer,
        kafka: KafkaOptions,
        registry_log: RegistryLog,
    ) -> None:
        self._admin = admin
        self._reader = reader
        self._kafka = kafka
        self._names = kafka.settings.topics
        self._log = registry_log

    @property
    def _registry(self) -> Registry:
        return self._log.registry

    async def draw_up(self, asked: Range, now: datetime) -> tuple[Books, Range]:
        """The books as of now, over the range asked for as far as topics still cover it."""
        cut = await take_cut(self._admin, self._reader, self._kafka, self._registry)
        period = await self._covered(cut, asked, now)
        books = self._blank(cut, period)
        folder = Folder(books, period)
        await self._follow_pieces(cut, folder)
        await self._follow_parties(cut, folder)
        for merchant in books.sent:
            await self._follow_merchant(cut, folder, merchant, books)
        return books, period

    async def _covered(self, cut: Cut, asked: Range, now: datetime) -> Range:
        names = self._names
        topics = [names.tracking_updates, names.scan_events, names.decisions, names.withheld]
        topics += [names.merchant(one.entity_id) for one in self._registry.all("merchant")]
        since = await retained_since(self._reader, cut, topics, now)
        found = [instant for instant in (since, asked.since) if instant is not None]
        return Range(max(found, default=None), asked.until)

    def _blank(self, cut: Cut, period: Range) -> Books:
        books = Books()
        books.updates_whole = period == Range() and cut.whole(self._names.tracking_updates)
        for merchant in self._registry.all("merchant"):
            books.sent[merchant.entity_id] = set()
        for one in destinations_of(self._registry):
            books.destinations[one.id] = DestinationBook(one.id, one.merchant)
        return books

    async def _follow_pieces(self, cut: Cut, folder: Folder) -> None:
        names = self._names
        packages, router = names.group(PACKAGES), names.group(ROUTER)
        await self._each(cut, names.dead_letters, folder.dead_letter)
        await self._each(
            cut,
            names.scan_events,
            lambda record: folder.scan_event(record, read_by_router=_past(cut, router, record)),
        )
        await self._each(cut, names.packages, folder.package)
        await self._each(
            cut,
            names.tracking_updates,
            lambda record: folder.update(record, read_by_packages=_past(cut, packages, record)),
        )
        await self._each(cut, names.quarantine, folder.quarantined)

    async def _follow_parties(self, cut: Cut, folder: Folder) -> None:
        await self._each(cut, self._names.decisions, folder.decision)
        await self._each(cut, self._names.withheld, folder.withheld)
        await self._each(cut, self._names.deliveries, folder.delivery)

    async def _follow_merchant(self, cut: Cut, folder: Folder, merchant: str, books: Books) -> None:
        topic = self._names.merchant(merchant)
        due = [
            (book, self._names.sink_group(book.destination), self._start(book, topic))
            for book in books.destinations.values()
            if book.merchant == merchant
        ]
        await self._each(
            cut,
            topic,
            lambda record: folder.merchant_record(
                record,
                merchant,
                [
                    (book, _past(cut, group, record))
                    for book, group, start in due
                    if record.offset >= start.get(record.partition, 0)
                ],
            ),
        )

    def _start(self, book: DestinationBook, topic: str) -> dict[int, int]:
        """Where a destination begins, by partition of its merchant's topic."""
        found = self._log.observed.get(ObservedKind.START, book.destination)
        if found is None or found.get("topic") != topic:
            return {}
        start = ObservedStart.model_validate(found)
        return {int(partition): offset for partition, offset in start.offsets.items()}

    async def _each(self, cut: Cut, topic: str, take: Callable[[ConsumerRecord], None]) -> None:
        async for records in records_of(self._reader, topic, cut.beginnings, cut.ends):
            for record in records:
                take(record)


def _past(cut: Cut, group: str, record: ConsumerRecord) -> bool:
    return cut.read(group, record.topic, record.partition, record.offset)
