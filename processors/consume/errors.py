"""Which errors mean what to the loop."""

from typing import Final

from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
)

from schemas.errors import ScanwireError

# The transactional id was taken over, or the coordinator gave up a transaction that took
# too long: aiokafka does not tell one from the other, so the group has to.
FENCED: Final = (ProducerFenced, InvalidProducerEpoch)
TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
# Beginning anew can help with any of Kafka's errors: even an ACL may be given meanwhile.
BROKER_TROUBLE: Final = (KafkaError, TimeoutError, OSError)


def can_begin_anew(error: Exception) -> bool:
    """Whether the partition is tried again; otherwise the program stops, for it is a bug."""
    return (
        error.retriable if isinstance(error, ScanwireError) else isinstance(error, BROKER_TROUBLE)
    )


def told(error: Exception) -> str:
    """The error in a few words without anything of a record's content."""
    return error.detail if isinstance(error, ScanwireError) else type(error).__name__
