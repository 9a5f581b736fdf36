"""Several expositions of the same program added up to one, as if one process had counted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from schemas.metrics import GAUGES_OVER_WORKERS

# A sample's name and its labels, in order.
Key = tuple[str, tuple[tuple[str, str], ...]]
# Of a counter that several processes hold, the first one's birth is its own.
_CREATED: Final = "_created"
_ADD: Final[Mapping[str, Callable[[float, float], float]]] = {
    "sum": lambda one, other: one + other,
    "min": min,
    "max": max,
    "latest": max,
}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples; not changed once made."""

    kind: str
    meaning: str
    samples: Mapping[Key, float]


Families = Mapping[str, Family]


def read_exposition(text: str) -> Families:
    """What a process exposed, by metric. Raises `ValueError` for what is no exposition."""
    return {
        metric.name: Family(
            metric.type,
            metric.documentation,
            {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for sample in metric.samples
            },
        )
        for metric in text_string_to_metric_families(text)
    }


def add_up(parts: Iterable[Families]) -> Families:
    """The sum. Counters and histograms add up sample by sample, gauges as the catalogue says."""
    kinds: dict[str, Family] = {}
    totals: dict[str, dict[Key, float]] = {}
    for families in parts:
        for name, family in families.items():
            kinds.setdefault(name, family)
            add = _ADD[_rule(name, family)]
            total = totals.setdefault(name, {})
            for key, value in family.samples.items():
                total[key] = add(total[key], value) if key in total else value
    return {name: Family(kinds[name].kind, kinds[name].meaning, totals[name]) for name in totals}


def only_lasting(families: Families) -> Families:
    """Without gauges of the moment: what remains true of a process that is gone."""
    return {
        name: family
        for name, family in families.items()
        if family.kind != "gauge"
        or name.endswith(_CREATED)
        or GAUGES_OVER_WORKERS.get(name) == "latest"
    }


def write_exposition(families: Families) -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Once(families))
    return generate_latest(registry)


def _rule(name: str, family: Family) -> str:
    if family.kind != "gauge":
        return "sum"
    return "min" if name.endswith(_CREATED) else GAUGES_OVER_WORKERS.get(name, "sum")


class _Once(Collector):
    """Hands over what was added up."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for name, family in self._families.items():
            metric = Metric(name, family.meaning, family.kind)
            for (sample, labels), value in family.samples.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric
