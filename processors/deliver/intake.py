"""From a fetched record to an event in line, or to its settlement at once."""

from collections.abc import Collection

from aiokafka.structs import ConsumerRecord

from processors.deliver.commits import PartitionProgress
from processors.deliver.deliverer import Deliverer
from processors.deliver.merchant_record import read_event
from processors.deliver.ordering import InHand
from processors.deliver.settlements import Settlements
from schemas.errors import RecordRejected
from schemas.event import EventCategory


class Intake:
    """`categories`: what the destination wants; None: everything."""

    def __init__(
        self,
        categories: Collection[EventCategory] | None,
        deliverer: Deliverer,
        settlements: Settlements,
    ) -> None:
        self._categories = None if categories is None else frozenset(categories)
        self._deliverer = deliverer
        self._settlements = settlements

    def take(self, record: ConsumerRecord, progress: PartitionProgress) -> None:
        """Takes one record in hand; it leaves it only by its settlement."""
        progress.read(record.offset)
        try:
            item = InHand(read_event(record), progress)
        except RecordRejected as error:
            self._settlements.unreadable(record, progress, error.reason)
            return
        if self._categories is not None and item.event.category not in self._categories:
            self._settlements.filtered(item)
        else:
            self._deliverer.take_in(item)
