"""Tries what was set aside again: what verifies now goes the way of every callback.

It is judged by the registry and secrets of now, as of when it was received: the update has the
original `received_at` and the same id, so that doing it twice adds only a repeat. What does not
verify stays where it is, and why is told. Nothing else is written.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from receiver.following.subscriptions import SubscriptionTable
from receiver.judging.judge import Challenged, Declined, Judge, Publishable, SetAside, Verdict
from receiver.publishing.door import OutgoingRecord
from receiver.publishing.publish import OVERHEAD_BYTES
from receiver.quarantined.kept import Kept
from receiver.quarantined.listing import counted

# Returns when all of them are durable; raises one of `BROKER_FAULTS`.
Send = Callable[[Sequence[OutgoingRecord]], Awaitable[None]]
TOO_LARGE = "record_too_large"


@dataclass(frozen=True, slots=True)
class FixedTable:
    """The subscriptions as they were when the tool began."""

    table: SubscriptionTable | None


async def send_nothing(_: Sequence[OutgoingRecord]) -> None:
    """For a dry run."""


class Resubmission:
    """Takes records portion by portion, and counts what became of them.

    Attributes:
        verified: Distinct updates that were published, or would be.
        repeats: Records whose update was met before in this run.
        left: Records that stay, by reason.
    """

    def __init__(self, judge: Judge, send: Send, max_bytes: int, limit: int) -> None:
        self._judge = judge
        self._send = send
        self._max_bytes = max_bytes
        self._limit = limit
        self._met: set[bytes] = set()
        self._told: list[dict[str, Any]] = []
        self.looked_at = 0
        self.verified = 0
        self.repeats = 0
        self.left: Counter[str] = Counter()

    async def take(self, portion: Sequence[Kept]) -> None:
        """Returns when what verifies is durable. Raises one of `BROKER_FAULTS`."""
        due: list[Publishable] = []
        for kept in portion:
            verdict = self._judge.judge(kept.request)
            reason = self._reason(verdict)
            if reason is not None:
                self.left[reason] += 1
                self._tell(kept, "left", reason, None)
            elif isinstance(verdict, Publishable):
                self._take_up(kept, verdict, due)
        if due:
            await self._send([publishable.record for publishable in due])
        self.looked_at += len(portion)
        self.verified += len(due)

    def _take_up(self, kept: Kept, verdict: Publishable, due: list[Publishable]) -> None:
        met = bytes.fromhex(verdict.update_id)
        if met in self._met:
            self.repeats += 1
            self._tell(kept, "repeat", None, verdict.update_id)
            return
        self._met.add(met)
        due.append(verdict)
        self._tell(kept, "verified", None, verdict.update_id)

    def _reason(self, verdict: Verdict) -> str | None:
        """Why a record stays; None if it goes."""
        match verdict:
            case Publishable(record=record):
                size = len(record.value) + len(record.key) + OVERHEAD_BYTES
                return TOO_LARGE if size > self._max_bytes else None
            case SetAside(reason=reason):
                return reason.value
            case Declined(cause=cause):
                return cause
            case Challenged():
                return "challenge"

    def _tell(self, kept: Kept, outcome: str, reason: str | None, update_id: str | None) -> None:
        if len(self._told) < self._limit:
            told = {"id": str(kept.position), "outcome": outcome, "reason": reason}
            self._told.append(told | {"update_id": update_id})

    def document(self, *, dry_run: bool) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "dry_run": dry_run,
            "looked_at": self.looked_at,
            "verified": self.verified,
            "published": 0 if dry_run else self.verified,
            "repeats": self.repeats,
            "left": dict(self.left.most_common()),
            "left_off": self.looked_at - len(self._told),
            "records": self._told,
        }

    def lines(self, *, dry_run: bool) -> Iterator[str]:
        """The same for a person."""
        for told in self._told:
            yield f"{told['id']}  {told['outcome']}  {told['reason'] or told['update_id']}"
        if self.looked_at > len(self._told):
            yield f"{self.looked_at - len(self._told)} more are left off; --limit shows more"
        done = "would be published" if dry_run else "published"
        yield (
            f"{self.looked_at} looked at: {self.verified} {done}, {self.repeats} repeats of these, "
            f"{self.left.total()} left where they are"
            + (f" ({counted(dict(self.left.most_common()))})" if self.left else "")
        )
