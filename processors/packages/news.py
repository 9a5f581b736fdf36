"""What of an update is published: known events with new evidence, then new events, oldest first."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.packages.evidence import Evidence, NamedMids, evidence_of, is_told
from processors.packages.line import Line, Standing
from processors.packages.order import Known
from processors.packages.sorting import Sorted
from processors.packages.variants import twin_of


@dataclass(frozen=True, slots=True)
class Publication:
    """An event to be published: what is known of it then, and the evidence that it brings."""

    known: Known
    evidence: Evidence
    standing: Standing
    new_evidence: bool


def better_known(events: Sorted, mids: NamedMids) -> list[tuple[Known, Evidence]]:
    """The known events that this update tells in another way too, by sequence."""
    news: list[tuple[Known, Evidence]] = []
    for event_id in events.again:
        known, stated = events.known[event_id], events.stated[event_id]
        mid, source = mids.of(stated, known["piece"])
        if not is_told(known["evidence"], stated["channel"], mid):
            evidence = evidence_of(stated, mid, source)
            known = {**known, "evidence": [*known["evidence"], evidence]}
            events.known[event_id] = known
            news.append((known, evidence))
    events.counts["new_evidence"] += len(news)
    events.counts["repeat"] += len(events.again) - len(news)
    return sorted(news, key=_sequence)


def _sequence(news: tuple[Known, Evidence]) -> int:
    sequence: int = news[0]["sequence"]
    return sequence


def published_again(news: list[tuple[Known, Evidence]], line: Line) -> list[Publication]:
    """As first published, but for the facts and the evidence of this time."""
    standings = line.standings() if news else {}
    return [
        # An event that is only remembered: its piece's category is not told any more.
        Publication(known, evidence, standings.get(known["event_id"], Standing(0, None)), True)
        for known, evidence in news
    ]


class Newcomers:
    """Takes the new events of an update in, oldest first."""

    def __init__(
        self, before: Mapping[str, Any], events: Sorted, line: Line, mids: NamedMids
    ) -> None:
        known = list(events.known.values())
        self._stated = events.stated
        self._counts: Counter[str] = events.counts
        self._line = line
        self._mids = mids
        self._known = known
        self.sequence: int = before["sequence"]
        self._seen = {(one["piece"], one["category"]) for one in known}
        past = before["past"]
        if past is not None:
            self._seen |= {(past["piece"], category) for category in past["categories"]}
        self._newest: dict[int, str] = {}
        for one in known:
            piece, at = one["piece"], one["ordered_at"]
            if at > self._newest.get(piece, ""):
                self._newest[piece] = at

    def take(self, fresh: Known) -> Publication:
        """Gives it sequence and piece, and judges it against what was known before."""
        standing = self._line.insert(fresh)
        self.sequence += 1
        piece = standing.piece
        fresh["sequence"], fresh["piece"] = self.sequence, piece
        fresh["late"] = fresh["ordered_at"] < self._newest.get(piece, "")
        fresh["variant_of"] = twin_of(fresh, self._known, self._stated)
        what = (piece, fresh["category"])
        fresh["first_in_category"] = what not in self._seen and fresh["variant_of"] is None
        self._seen.add(what)
        stated = self._stated[fresh["event_id"]]
        evidence = evidence_of(stated, *self._mids.of(stated, piece))
        fresh["evidence"] = [evidence]
        self._counts["new"] += 1
        self._counts["late"] += fresh["late"]
        self._counts["variant"] += fresh["variant_of"] is not None
        return Publication(fresh, evidence, standing, new_evidence=False)
