"""What of an update is published: known events with new evidence, then new events, oldest first."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from processors.packages.evidence import Evidence, PieceEvidence, evidence_of, is_told
from processors.packages.line import Line, Standing
from processors.packages.order import Known
from processors.packages.sorting import Sorted
from processors.packages.variants import twin_of


class Publication(NamedTuple):
    """An event to be published: what is known of it then, and the evidence that it brings."""

    known: Known
    evidence: Evidence
    standing: Standing
    new_evidence: bool


def better_known(events: Sorted, before: PieceEvidence) -> list[tuple[Known, Evidence]]:
    """The known events that this update tells in another way too, by sequence."""
    news: list[tuple[Known, Evidence]] = []
    for event_id in events.again:
        known, stated = events.known[event_id], events.stated[event_id]
        mid, source = before.mid_of(stated, known["piece"])
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
        self, before: Mapping[str, Any], events: Sorted, line: Line, evidence: PieceEvidence
    ) -> None:
        self._stated = events.stated
        self._counts = events.counts
        self._line = line
        self._evidence_before = evidence
        self._before = list(line.known)
        self._past = before["past"]
        self.sequence: int = before["sequence"]

    def take(self, fresh: Known) -> Publication:
        """Gives it sequence and piece, and judges it against what was known before."""
        counts = self._counts
        standing = self._line.insert(fresh)
        self.sequence += 1
        piece = standing.piece
        # Last of all it gets its piece: it must not yet count among those of its piece.
        fresh["variant_of"] = twin_of(fresh, piece, self._before, self._stated)
        fresh["first_in_category"] = fresh["variant_of"] is None and self._is_first(fresh, piece)
        fresh["late"] = fresh["ordered_at"] < self._newest(piece)
        fresh["sequence"], fresh["piece"] = self.sequence, piece
        stated = self._stated[fresh["event_id"]]
        evidence = evidence_of(stated, *self._evidence_before.mid_of(stated, piece))
        fresh["evidence"] = [evidence]
        counts["new"] += 1
        if fresh["late"]:
            counts["late"] += 1
        if fresh["variant_of"] is not None:
            counts["variant"] += 1
        return Publication(fresh, evidence, standing, new_evidence=False)

    def _is_first(self, fresh: Known, piece: int) -> bool:
        """Whether nothing of that category was published of the piece."""
        category = fresh["category"]
        for one in self._line.known:
            if one["category"] == category and one["piece"] == piece:
                return False
        past = self._past
        return past is None or past["piece"] != piece or category not in past["categories"]

    def _newest(self, piece: int) -> str:
        """The newest time of order that was known of the piece before this update."""
        for one in reversed(self._before):
            if one["piece"] == piece:
                newest: str = one["ordered_at"]
                return newest
        return ""
