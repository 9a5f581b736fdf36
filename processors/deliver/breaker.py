"""Whose fault a failure is, and when a destination that fails as a whole is tried again.

Three different numbers in a row that met a time-out, a connection error, 429 or 5xx: the
destination is down. It is then probed with one event after 5 s, later less often.
"""

from enum import Enum, auto
from typing import Final

FAILURES_TO_OPEN: Final = 3
FIRST_PROBE_SECONDS: Final = 5.0
LONGEST_PROBE_SECONDS: Final = 60.0
# A destination may ask for patience, but not for ever.
LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0


class Admission(Enum):
    """Leave to start an attempt."""

    NORMAL = auto()
    PROBE = auto()  # the only one under way; its result decides


class Breaker:
    """Open: nothing goes but one probe at a time. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._streak: set[str] = set()
        self._open = False
        self._probing = False
        self._failed_probes = 0
        self._probe_at = 0.0
        self._paused_until = 0.0  # by the destination's Retry-After

    @property
    def open(self) -> bool:
        """Whether the destination counts as down."""
        return self._open

    @property
    def resumes_at(self) -> float | None:
        """From when on attempts may start; None: when the probe's result is there."""
        if not self._open:
            return self._paused_until
        return None if self._probing else max(self._paused_until, self._probe_at)

    def admits(self, now: float) -> bool:
        """Whether `admit` may be called."""
        resumes_at = self.resumes_at
        return resumes_at is not None and now >= resumes_at

    def admit(self) -> Admission:
        """Lets one attempt start; it must end in `answered`, `failed` or `withdrawn`."""
        if not self._open:
            return Admission.NORMAL
        self._probing = True
        return Admission.PROBE

    def withdrawn(self, admission: Admission) -> None:
        """The attempt never started: nothing was learnt."""
        if admission is Admission.PROBE:
            self._probing = False

    def answered(self, admission: Admission) -> None:
        """The destination accepted, or refused for the record's sake: it is there."""
        self._streak.clear()
        # An attempt from before the opening does not run ahead of the probe under way.
        if admission is Admission.PROBE or not self._probing:
            self._open = self._probing = False

    def failed(self, number: str, admission: Admission, now: float, wish: float | None) -> bool:
        """A failure that may be the destination's; True: it is, the record is not to blame.

        `wish`: its Retry-After in seconds, obeyed for the whole destination.
        """
        if wish is not None:
            until = now + min(wish, LONGEST_RETRY_AFTER_SECONDS)
            self._paused_until = max(self._paused_until, until)
        if admission is Admission.PROBE:
            self._probing = False
            self._failed_probes += 1
            self._probe_at = now + self._probe_delay()
        elif not self._open:
            self._streak.add(number)
            if len(self._streak) < FAILURES_TO_OPEN:
                return False
            self._trip(now, wish)
        return True

    def _trip(self, now: float, wish: float | None) -> None:
        self._open = True
        self._failed_probes = 0
        # A destination that says when to come back is believed the first time.
        self._probe_at = now if wish is not None else now + self._probe_delay()

    def _probe_delay(self) -> float:
        doublings = min(self._failed_probes, 10)
        return min(FIRST_PROBE_SECONDS * 2.0**doublings, LONGEST_PROBE_SECONDS)
