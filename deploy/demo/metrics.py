"""Reads what the programs say of themselves: health, metrics, the merchants' counts."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from deploy.demo.layout import Ports

_ANSWER: Final = aiohttp.ClientTimeout(total=5)
_NOTHING_THERE: Final = (aiohttp.ClientError, TimeoutError, OSError)

LAGS: Final = {
    "packages": "usps_packages_lag_records",
    "router": "usps_router_lag_records",
    "sinks": "usps_sink_lag_records",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen at one moment.

    Attributes:
        answers: Callbacks answered by the receiver, by outcome.
        lags: Records that each stage has not processed yet.
        decisions: The router's, by outcome: allowed, or a reason.
        deliveries: By destination, then by outcome.
        merchants: What each simulated merchant counted.
    """

    answers: Mapping[str, int] = field(default_factory=dict)
    lags: Mapping[str, int] = field(default_factory=dict)
    decisions: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    merchants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Watcher:
    """Asks all programs at once; what does not answer is left out."""

    def __init__(self, ports: Ports, session: aiohttp.ClientSession) -> None:
        self._ports = ports
        self._session = session

    async def read(self) -> Reading:
        """One look at everything."""
        ports = self._ports
        receiver, packages, router, sinks, merchants = await asyncio.gather(
            self._samples(ports.receiver_admin),
            self._samples(ports.packages_admin),
            self._samples(ports.router_admin),
            self._samples(ports.sinks_admin),
            self.json(f"http://127.0.0.1:{ports.merchant}/stats"),
        )
        deliveries: dict[str, Counter[str]] = {}
        for labels, value in sinks.of("usps_sink_deliveries_total"):
            counts = deliveries.setdefault(labels["destination"], Counter())
            counts[labels["outcome"]] += int(value)
        by_program = {"packages": packages, "router": router, "sinks": sinks}
        return Reading(
            answers=receiver.by("usps_receiver_callbacks_total", "outcome"),
            lags={name: by_program[name].total(metric) for name, metric in LAGS.items()},
            decisions=router.by("usps_router_decisions_total", "outcome"),
            deliveries=deliveries,
            merchants=merchants or {},
        )

    async def json(self, url: str) -> Any:  # noqa: ANN401 -- any JSON value
        """A document, or None where nobody answers."""
        try:
            async with self._session.get(url, timeout=_ANSWER) as answer:
                return await answer.json() if answer.ok else None
        except _NOTHING_THERE:
            return None

    async def not_ready(self, url: str) -> str | None:
        """What stands in the way of a program's work; None: it is ready."""
        try:
            async with self._session.get(url, timeout=_ANSWER) as answer:
                if answer.ok:
                    return None
                reasons = (await answer.json()).get("reasons", [])
                return "; ".join(reasons) or f"it answers {answer.status}"
        except _NOTHING_THERE:
            return "it does not answer yet"

    async def _samples(self, port: int) -> "_Samples":
        try:
            url = f"http://127.0.0.1:{port}/metrics"
            async with self._session.get(url, timeout=_ANSWER) as answer:
                return _Samples(await answer.text())
        except _NOTHING_THERE:
            return _Samples("")


class _Samples:
    """A program's exposition, read once."""

    def __init__(self, text: str) -> None:
        self._found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._found.setdefault(sample.name, []).append((sample.labels, sample.value))

    def of(self, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
        return iter(self._found.get(name, ()))

    def by(self, name: str, label: str) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for labels, value in self.of(name):
            counts[labels[label]] += int(value)
        return {key: count for key, count in counts.items() if count}

    def total(self, name: str) -> int:
        return int(sum(value for _, value in self.of(name)))
