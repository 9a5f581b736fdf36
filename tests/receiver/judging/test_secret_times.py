"""When each secret was used last, so that an operator sees when the old one can go."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from receiver.judging.secret_times import SecretTimes
from schemas.metrics import ReceiverMetrics

OLD, NEW = b"o" * 32, b"n" * 32
BEGAN = datetime(2026, 5, 14, 12, tzinfo=UTC)


class Shown:
    """The gauges, as a scrape would see them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._metrics = ReceiverMetrics(self._registry)
        self.times = SecretTimes()

    def __call__(self, index: int) -> float | None:
        """Of the secret at this position; None: there is no such gauge."""
        self.times.flush(self._metrics)
        return self._registry.get_sample_value(
            "usps_receiver_secret_last_used_timestamp_seconds",
            {"subscription": "acme", "secret": str(index)},
        )


def test_each_secret_has_its_time() -> None:
    """The one that verified has the callback's receipt, the other has never been used."""
    shown = Shown()
    shown.times.used("acme", (NEW, OLD), 1, BEGAN)
    assert [shown(0), shown(1), shown(2)] == [0.0, BEGAN.timestamp(), None]


def test_a_rotation_moves_the_time_with_the_secret() -> None:
    """The new secret begins unused; the old one, now behind it, keeps its time; then it goes."""
    shown, both, alone = Shown(), (NEW, OLD), (NEW,)
    shown.times.used("acme", (OLD,), 0, BEGAN)
    assert [shown(0), shown(1)] == [BEGAN.timestamp(), None]
    later = BEGAN + timedelta(hours=1)
    shown.times.used("acme", both, 0, later)
    assert [shown(0), shown(1)] == [later.timestamp(), BEGAN.timestamp()]
    shown.times.used("acme", alone, 0, later)
    assert [shown(0), shown(1)] == [later.timestamp(), None]
