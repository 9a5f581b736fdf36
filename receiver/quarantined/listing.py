"""What `quarantine list` and `show` tell: never a body unasked, never a secret."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from receiver.quarantined.kept import Kept, Names, Position

_MAX_SHOWN_CHARACTERS = 60


class Listing:
    """Counts all that it takes, and keeps what there is to say of the newest."""

    def __init__(self, names: Names, limit: int) -> None:
        self._names = names
        self._limit = limit
        self._newest: list[tuple[str, Position, dict[str, Any]]] = []
        self.counts: Counter[str] = Counter()

    def take(self, kept: Kept) -> None:
        """One more record."""
        self.counts[kept.quarantined.reason.value] += 1
        entry = (kept.quarantined.received_at, kept.position, summary(kept, self._names))
        if len(self._newest) < self._limit:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)

    def document(self) -> dict[str, Any]:
        """What `--json` prints; oldest first."""
        return {
            "total": self.counts.total(),
            "counts": dict(self.counts.most_common()),
            "left_off": self.counts.total() - len(self._newest),
            "records": [told for _, _, told in sorted(self._newest, key=lambda one: one[:2])],
        }

    def lines(self) -> Iterator[str]:
        """The same for a person."""
        document = self.document()
        if document["left_off"]:
            yield f"{document['left_off']} older ones are left off; --limit shows more"
        for told in document["records"]:
            yield _line(told)
        yield f"{counted(self.counts) or 'nothing'}; {document['total']} in all"


def summary(kept: Kept, names: Names) -> dict[str, Any]:
    """A record without its body and headers."""
    told = kept.quarantined
    return {
        "id": str(kept.position),
        "reason": told.reason.value,
        "received_at": told.received_at,
        "subscription_id": told.subscription_id,
        "subscription": names.by_id.get(told.subscription_id or ""),
        "accepted": told.accepted,
        "update_id": told.update_id,
        "body_bytes": len(kept.request.body),
    }


def details(kept: Kept, names: Names, secrets: Iterable[str]) -> dict[str, Any]:
    """The same with where it came from and its headers.

    Credentials never came this far; a value that holds one of the subscriptions' secrets, as
    some senders have it, is not shown either.
    """
    known = tuple(secrets)
    headers = {
        name: "(holds a secret)" if any(secret in value for secret in known) else value
        for name, value in kept.quarantined.headers.items()
    }
    return summary(kept, names) | {
        "remote_address": kept.quarantined.remote_address,
        "headers": headers,
    }


def detail_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Details for a person."""
    for name, value in told.items():
        if name != "headers":
            yield f"{name}: {'' if value is None else printable(str(value))}"
    yield "headers:"
    for name, value in told["headers"].items():
        yield f"  {printable(name)}: {printable(value)}"


def counted(counts: Mapping[str, int]) -> str:
    """`3 signature_mismatch, 1 unknown_subscription`."""
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def printable(text: str) -> str:
    """Text from outside, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _line(told: Mapping[str, Any]) -> str:
    whose = told["subscription"] or printable(told["subscription_id"] or "-")
    cells: Sequence[str] = (
        told["id"],
        told["received_at"],
        told["reason"],
        whose[:_MAX_SHOWN_CHARACTERS],
        f"{told['body_bytes']} bytes",
    )
    return "  ".join(cells) + ("  answered 200" if told["accepted"] else "")
