"""Every kind of sink there is: a new one is one file and one row here."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from processors.sinks.base import Sink, SinkTools, SinkUnusable
from processors.sinks.http import HttpSink
from processors.sinks.kafka import KafkaSink
from schemas.registry.destinations import Destination

# Makes a sink of a destination of its kind.
MakeSink = Callable[[Any, SinkTools], Sink]


def sink_table(*rows: tuple[str, MakeSink]) -> Mapping[str, MakeSink]:
    """Kind to sink. Raises `ValueError` where a kind stands twice."""
    table: dict[str, MakeSink] = {}
    for kind, make in rows:
        if kind in table:
            raise ValueError(f"two sinks of kind {kind!r}")
        table[kind] = make
    return table


SINKS: Final = sink_table((HttpSink.kind, HttpSink), (KafkaSink.kind, KafkaSink))


def make_sink(destination: Destination, tools: SinkTools) -> Sink:
    """The destination's sink, not opened yet. Raises `SinkUnusable`: there is no such kind."""
    make = SINKS.get(destination.kind)
    if make is None:
        raise SinkUnusable(
            "kind_not_runnable",
            f"destination {destination.id}: this version has no sink of kind {destination.kind}",
        )
    return make(destination, tools)
