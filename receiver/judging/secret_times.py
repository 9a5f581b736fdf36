"""When each secret of a subscription verified a callback last, also across a rotation."""

from collections.abc import Sequence
from datetime import datetime

from schemas.metrics import ReceiverMetrics


class SecretTimes:
    """By subscription; a secret that moves in the list takes its time with it."""

    def __init__(self) -> None:
        self._secrets: dict[str, Sequence[bytes]] = {}
        self._times: dict[str, list[datetime | None]] = {}
        self._shown: dict[str, int] = {}

    def used(
        self, subscription: str, secrets: Sequence[bytes], index: int, received: datetime
    ) -> None:
        """The secret at `index` of `secrets` verified a callback that was received then."""
        if self._secrets.get(subscription) is not secrets:
            self._take_over(subscription, secrets)
        self._times[subscription][index] = received

    def _take_over(self, subscription: str, secrets: Sequence[bytes]) -> None:
        before = dict(
            zip(self._secrets.get(subscription, ()), self._times.get(subscription, ()), strict=True)
        )
        self._secrets[subscription] = secrets
        self._times[subscription] = [before.get(secret) for secret in secrets]

    def flush(self, metrics: ReceiverMetrics) -> None:
        """Sets the gauges: 0 for a secret that was not used since the program began."""
        for name, times in self._times.items():
            for index in range(len(times), self._shown.get(name, 0)):
                metrics.secret_last_used.remove(name, str(index))
            self._shown[name] = len(times)
            for index, used in enumerate(times):
                seconds = 0.0 if used is None else used.timestamp()
                metrics.secret_last_used.labels(name, str(index)).set(seconds)
