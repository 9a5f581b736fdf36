"""The pieces of a MID that are under way, by the compacted topic of package states."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from aiokafka.structs import TopicPartition

from receiver.feeds.journal import WantedNumber
from receiver.feeds.rights import Planner
from receiver.following.registry import STOP_SECONDS, kafka_reader
from receiver.publishing.producer import START_SECONDS
from schemas.clock import parse_rfc3339
from schemas.event import EventCategory, MailKind
from schemas.kafka import KafkaOptions
from schemas.kafka_clients import end_client
from schemas.package import TRIM_AFTER_DAYS

_POLL_MS: Final = 500
# After these nothing more is expected of a piece; one on its way back is still under way.
_ENDED: Final = frozenset({EventCategory.DELIVERED.value, EventCategory.DELIVERED_TO_AGENT.value})
# A number that was silent for so long sleeps: what comes then is another piece.
_SLEEPS_AFTER: Final = timedelta(days=TRIM_AFTER_DAYS)

StateRecord = tuple[str, Mapping[str, Any] | None]


async def plan_open_pieces(
    planner: Planner, states: AsyncIterator[StateRecord], mid: str, since: datetime
) -> None:
    """Takes down each piece of the MID that was under way at `since` and still is.

    Of several states of a number the last counts, as they come.
    """
    async for number, state in states:
        if state is not None and is_wanted(state, mid, since):
            planner.want(WantedNumber(number, mid))
        else:
            planner.drop(number)


def is_wanted(state: Mapping[str, Any], mid: str, since: datetime) -> bool:
    """Whether the state is of a parcel of this MID that was under way then and still is.

    One that had its last event before `since` is meant above all: what it missed was not told.
    """
    if state.get("mail_kind") != MailKind.PACKAGE.value or state.get("category") in _ENDED:
        return False
    last = state.get("last_event_at") or state.get("updated_at")
    if not isinstance(last, str) or _instant(last, since) < since - _SLEEPS_AFTER:
        return False
    return mid in mids_of(state)


def mids_of(state: Mapping[str, Any]) -> frozenset[str]:
    """Whose piece it may be: the state's own MID, and those that any evidence of it names."""
    found = {state.get("mid")}
    for evidence in _evidence(state):
        found.add(evidence.get("mid"))
    return frozenset(mid for mid in found if isinstance(mid, str))


def _evidence(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    piece = state.get("piece")
    for event in state.get("events") or ():
        if event.get("piece") == piece:
            yield from event.get("evidence") or ()
    past = state.get("past") or {}
    if past.get("piece") == piece:
        yield from past.get("evidence") or ()


def _instant(text: str, otherwise: datetime) -> datetime:
    try:
        return parse_rfc3339(text)
    except ValueError:
        return otherwise


async def package_states(
    options: KafkaOptions, topic: str, partitions: int
) -> AsyncIterator[StateRecord]:
    """Every state from the topic's beginning to where it ends now; None: it is gone.

    Raises one of `BROKER_FAULTS`.
    """
    reader: Any = kafka_reader(options)
    everywhere = [TopicPartition(topic, number) for number in range(partitions)]
    try:
        await reader.start()
        reader.assign(everywhere)
        await reader.seek_to_beginning(*everywhere)
        left = dict(await reader.end_offsets(everywhere))
        while left:
            for records in (await reader.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    yield record.key.decode("utf-8", "replace"), _state(record.value)
            for partition, end in list(left.items()):
                if await reader.position(partition) >= end:
                    del left[partition]
    finally:
        await end_client(reader, min(STOP_SECONDS, START_SECONDS))


def _state(value: bytes | None) -> Mapping[str, Any] | None:
    try:
        state = None if value is None else orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return state if isinstance(state, Mapping) else None
