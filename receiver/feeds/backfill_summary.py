"""What a back-fill tells: its counts, and how long the rest takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Final

from receiver.feeds.journal import OPEN
from receiver.feeds.rights import NOT_ASKED
from receiver.usps.bucket import Allowance
from receiver.usps.tracking import MAX_NUMBERS, LookupOutcome

_MEANINGS: Final[Mapping[str, str]] = {
    LookupOutcome.FOUND.value: "found and published",
    LookupOutcome.UNKNOWN.value: "unknown to USPS",
    LookupOutcome.LATER.value: "nothing yet at USPS: run the same command later",
    LookupOutcome.REFUSED.value: "refused by USPS: no right to them, see their authorization",
    LookupOutcome.INVALID.value: "no numbers that USPS takes",
    LookupOutcome.UNREADABLE.value: "without a readable answer: run the same command again",
    OPEN: "still to be asked for",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """How a job stands. `updates` and `events`: published by this run."""

    job: str
    account: str
    counts: Mapping[str, int]
    updates: int = 0
    events: int = 0

    @property
    def numbers(self) -> int:
        """All of the job."""
        return sum(self.counts.values())

    @property
    def not_asked(self) -> dict[str, int]:
        """Numbers that nobody of the registry may have, by reason."""
        return {
            state.removeprefix(NOT_ASKED): count
            for state, count in self.counts.items()
            if state.startswith(NOT_ASKED)
        }

    @property
    def calls_left(self) -> int:
        """Calls to USPS if all goes well."""
        return calls_for(self.counts.get(OPEN, 0))

    def document(self, allowance: Allowance) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "job": self.job,
            "account": self.account,
            "numbers": self.numbers,
            **{state: self.counts.get(state, 0) for state in _MEANINGS},
            "not_asked": self.not_asked,
            "calls_left": self.calls_left,
            "seconds_left": round(seconds_for(self.calls_left, allowance)),
            "updates_published": self.updates,
            "events_published": self.events,
        }

    def text(self, allowance: Allowance) -> str:
        """What a person reads."""
        lines = [f"{self.numbers} numbers"]
        lines += [
            f"  {self.counts[state]} {meaning}"
            for state, meaning in _MEANINGS.items()
            if self.counts.get(state)
        ]
        lines += [
            f"  {count} not asked for, nobody may have them: {reason}"
            for reason, count in sorted(self.not_asked.items())
        ]
        if self.calls_left:
            seconds = round(seconds_for(self.calls_left, allowance))
            takes = (
                f"{self.calls_left} calls, which the quota makes take {timedelta(seconds=seconds)}"
            )
            lines.append(f"  that is at least {takes}")
        return "\n".join([*lines, f"  {self.updates} updates with {self.events} events published"])


def calls_for(numbers: int) -> int:
    """Calls for so many numbers."""
    return ceil(numbers / MAX_NUMBERS)


def seconds_for(calls: int, allowance: Allowance) -> float:
    """How long the quota makes so many calls take, from a full bucket."""
    return max(0.0, calls - allowance.room) / allowance.per_second
