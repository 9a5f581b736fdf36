"""What is tried again, and when: USPS publishes neither, so it is a setting."""

from dataclasses import dataclass
from typing import Final

from receiver.simulator.truth import NO_ANSWER
from schemas.errors import OperatorError

NONE: Final = "none"
RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_STATUSES: Final = range(300, 600)


@dataclass(frozen=True, slots=True)
class Retries:
    """When a callback is tried again.

    Attributes:
        seconds: Delays before the second, third … attempt.
        statuses: Answers after which there is another attempt; 0: no answer.
    """

    seconds: tuple[float, ...] = RETRY_SECONDS
    statuses: frozenset[int] = frozenset({0, 429, 503})


def parse_retries(seconds: str | None, statuses: str | None) -> Retries:
    """`--retries 1,2,4` or `none`; `--retry-on 503,429,no_answer`. Raises `OperatorError`."""
    found = Retries()
    return Retries(
        found.seconds if seconds is None else _delays(seconds),
        found.statuses if statuses is None else _retried(statuses),
    )


def _delays(text: str) -> tuple[float, ...]:
    if text == NONE:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 <= delay < float("inf") for delay in found):
        raise OperatorError(
            "retries_unreadable", f"--retries {text}: write none, or seconds with commas: 1,2,4"
        )
    return found


def _retried(text: str) -> frozenset[int]:
    try:
        found = [0 if part.strip() == NO_ANSWER else int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(status == 0 or status in _STATUSES for status in found):
        raise OperatorError(
            "retries_unreadable",
            f"--retry-on {text}: write statuses from 300 with commas, and {NO_ANSWER}: "
            f"503,429,{NO_ANSWER}",
        )
    return frozenset(found)
