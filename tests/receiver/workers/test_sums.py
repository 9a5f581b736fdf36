"""The sum of several processes' metrics is what one process would have counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from receiver.workers.sums import (
    Families,
    Key,
    add_up,
    only_lasting,
    read_exposition,
    write_exposition,
)
from schemas import metrics as catalogue
from schemas.metrics import GAUGES_OVER_WORKERS

LABELS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
# Eighths, so that sums are exact in whatever order.
NUMBERS = st.integers(0, 8000).map(lambda number: number / 8)
LAST_USED = "usps_receiver_secret_last_used_timestamp_seconds"
GAUGES: Mapping[str, Callable[[list[float]], float]] = {
    "usps_receiver_callbacks_in_flight": sum,
    "usps_registry_revision": min,
    "usps_receiver_subscriptions_without_secret": max,
    LAST_USED: max,
}


@dataclass(frozen=True)
class Counts:
    """What one process counts."""

    counted: list[tuple[str, float]]
    observed: list[tuple[str, float]]
    gauges: dict[str, float]


PROCESSES = st.lists(
    st.builds(
        Counts,
        st.lists(st.tuples(LABELS, NUMBERS), max_size=8),
        st.lists(st.tuples(LABELS, NUMBERS), max_size=8),
        st.dictionaries(st.sampled_from(sorted(GAUGES)), NUMBERS),
    ),
    min_size=1,
    max_size=4,
)


def exposed(*processes: Counts) -> Families:
    """What one process exposes that counts all this; gauges as the last one has them."""
    registry = CollectorRegistry()
    counter = Counter("seen_total", 'What was "seen".\nAll of it.', ["what"], registry=registry)
    histogram = Histogram("size", "How large.", ["what"], buckets=(1, 10, 100), registry=registry)
    for counts in processes:
        for label, number in counts.counted:
            counter.labels(label).inc(number)
        for label, number in counts.observed:
            histogram.labels(label).observe(number)
    for name, value in processes[-1].gauges.items():
        Gauge(name, name, registry=registry).set(value)
    return read_exposition(generate_latest(registry).decode())


def values(families: Families, *, gauges: bool) -> dict[str, dict[Key, float]]:
    """Every sample but the times of birth, which no two registries share."""
    return {
        name: dict(family.samples)
        for name, family in families.items()
        if not name.endswith("_created") and (family.kind == "gauge") == gauges
    }


@settings(deadline=None)
@given(PROCESSES)
def test_sum_is_arithmetic(processes: list[Counts]) -> None:
    """Counters and buckets add up to what one registry holds that counted everything."""
    total = add_up([exposed(counts) for counts in processes])
    written = read_exposition(write_exposition(total).decode())
    assert values(written, gauges=False) == values(exposed(*processes), gauges=False)
    held = [counts.gauges for counts in processes]
    assert values(written, gauges=True) == {
        name: {(name, ()): add([gauges[name] for gauges in held if name in gauges])}
        for name, add in GAUGES.items()
        if any(name in gauges for gauges in held)
    }


@settings(deadline=None)
@given(PROCESSES)
def test_form_and_order_of_adding_change_nothing(processes: list[Counts]) -> None:
    """Writing and reading keep every sample; adding part by part gives the same."""
    parts = [exposed(counts) for counts in processes]
    at_once = add_up(parts)
    assert read_exposition(write_exposition(at_once).decode()) == at_once
    one_by_one = parts[0]
    for part in parts[1:]:
        one_by_one = add_up([one_by_one, part])
    assert one_by_one == at_once


def test_what_remains_of_the_dead() -> None:
    """Counters and histograms stay with the time they began; of gauges only a latest time."""
    counts = Counts([("a", 2)], [("b", 3)], {"usps_registry_revision": 7, LAST_USED: 9})
    assert set(only_lasting(exposed(counts))) == {
        "seen",
        "seen_created",
        "size",
        "size_created",
        LAST_USED,
    }


def test_first_birth_is_the_sum_s() -> None:
    """A counter of several processes began with the first of them."""
    first, then = (
        read_exposition(f"# TYPE a_created gauge\na_created {time}\n") for time in (1.7e9, 1.8e9)
    )
    assert add_up([then, first])["a_created"].samples == {("a_created", ()): 1.7e9}


def test_every_gauge_says_how_it_adds_up() -> None:
    """The catalogue names each gauge of a worker, and only those: add yours to the table."""
    registry = CollectorRegistry()
    for name, made in vars(catalogue).items():
        if name.endswith("Metrics") and made is not catalogue.WorkersMetrics:
            made(registry)
    gauges = {metric.name for metric in registry.collect() if metric.type == "gauge"}
    of_a_worker = ("usps_receiver_", "usps_registry_", "usps_merchant_token_", "usps_api_")
    ours = {name for name in gauges if name.startswith(of_a_worker)}
    assert ours == set(GAUGES_OVER_WORKERS)
