"""How often USPS usually calls for a subscription, and what a silence means; pure.

The usual gap is the third longest of the daily longest gaps of the last 28 days. A gap that
comes every week, such as a weekend, is among them four times and counts; one outage or two do
not, however long. Until three days had a gap nothing is usual.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

DAYS_KEPT: Final = 28
# USPS may delete a subscription after so long without traffic, and warns by e-mail at 25 days
# (its OpenAPI document of Subscriptions - Tracking, 3.2.2).
DELETED_AFTER: Final = timedelta(days=30)
WARN_AFTER: Final = (timedelta(days=20), timedelta(days=25))
SILENT_RATIO: Final = 3.0
# Below that nobody needs to look, however busy it usually is.
_LEAST_SILENCE: Final = timedelta(hours=6)
_LEAST_USUAL_SECONDS: Final = 3600.0
_RANK: Final = 3


class Rhythm(BaseModel):
    """Of one subscription. `longest`: the longest gap that ended on a day, in seconds."""

    model_config = ConfigDict(frozen=True)
    since: AwareDatetime
    last: AwareDatetime | None = None
    longest: Mapping[str, float] = Field(default_factory=dict)
    warned: int = 0

    def heard(self, at: datetime) -> Self:
        """After a call; one that is not later than the last changes nothing."""
        if self.last is not None and at <= self.last:
            return self
        gap = 0.0 if self.last is None else (at - self.last).total_seconds()
        oldest = f"{at - timedelta(days=DAYS_KEPT):%Y-%m-%d}"
        longest = {day: known for day, known in self.longest.items() if day > oldest}
        today = f"{at:%Y-%m-%d}"
        longest[today] = max(gap, longest.get(today, 0.0))
        return self.model_copy(update={"last": at, "longest": longest, "warned": 0})

    def silence(self, now: datetime) -> timedelta:
        """Since the last call, or since it was known."""
        return max(now - (self.last or self.since), timedelta(0))

    def usual_seconds(self) -> float | None:
        """The usual longest gap; at least an hour. None: not known yet."""
        gaps = sorted(self.longest.values(), reverse=True)
        return max(gaps[_RANK - 1], _LEAST_USUAL_SECONDS) if len(gaps) >= _RANK else None

    def ratio(self, now: datetime) -> float | None:
        """The silence in usual gaps."""
        usual = self.usual_seconds()
        return None if usual is None else self.silence(now).total_seconds() / usual

    def days_left(self, now: datetime) -> float:
        """Until USPS may delete it; below 0: it may be gone."""
        return (DELETED_AFTER - self.silence(now)) / timedelta(days=1)

    def is_silent(self, now: datetime, *, usual_matters: bool = True) -> bool:
        """Longer than usual by far, where that matters, or near the end of USPS's patience."""
        silence, ratio = self.silence(now), self.ratio(now) if usual_matters else None
        unusual = ratio is not None and ratio >= SILENT_RATIO and silence >= _LEAST_SILENCE
        return unusual or silence >= WARN_AFTER[0]

    def warning_due(self, now: datetime) -> int:
        """How many of `WARN_AFTER` have passed."""
        return sum(1 for after in WARN_AFTER if self.silence(now) >= after)
