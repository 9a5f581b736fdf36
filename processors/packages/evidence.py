"""How an event became known: what of it is new, and what a piece's evidence says together."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from processors.packages.order import Known
from schemas.event import Channel, MidSource

Evidence = dict[str, Any]
_API: Final = Channel.API.value
_FROM_STATE: Final = MidSource.PACKAGE_STATE.value
# Who may name a piece's MID: USPS, by the subscription it was asked for or in the feed itself.
_NAMES_A_MID: Final = frozenset({MidSource.SUBSCRIPTION.value, MidSource.FEED.value})


class PieceEvidence:
    """All evidence of each piece of a number, one per (channel, mid), the first that came."""

    def __init__(self, known: Iterable[Known], past: Mapping[str, Any] | None) -> None:
        self._known = known
        self._past = past
        self._found: dict[int, list[Evidence]] = {}

    def of(self, piece: int) -> list[Evidence]:
        """That of a piece."""
        found = self._found.get(piece)
        if found is None:
            found = self._found[piece] = evidence_of_piece(piece, self._known, self._past)
        return found

    def mid_of(self, event: Mapping[str, Any], piece: int) -> tuple[str | None, str | None]:
        """The MID of an event as a feed stated it, and who named it.

        An answer of the Tracking API names none. It gets the piece's, if the evidence of
        subscriptions and feeds names exactly one.
        """
        mid, source = event["mid"], event["mid_source"]
        if mid is not None or event["channel"] != _API:
            return mid, source
        mid = only_mid(self.of(piece))
        return mid, None if mid is None else _FROM_STATE


def evidence_of(event: Mapping[str, Any], mid: str | None, source: str | None) -> Evidence:
    """The evidence that a feed's event brings."""
    return {
        "channel": event["channel"],
        "mid": mid,
        "mid_source": source,
        "subscription_id": event["subscription_id"],
        "received_at": event["received_at"],
    }


def is_told(evidence: Iterable[Evidence], channel: str, mid: str | None) -> bool:
    """Whether we heard of this event by that channel for that MID before."""
    for one in evidence:  # noqa: SIM110 -- any() over a generator costs three times as much
        if one["mid"] == mid and one["channel"] == channel:
            return True
    return False


def only_mid(evidence: Iterable[Evidence]) -> str | None:
    """The MID that subscriptions and feeds name, if they name exactly one."""
    mids = {one["mid"] for one in evidence if one["mid_source"] in _NAMES_A_MID}
    return mids.pop() if len(mids) == 1 else None


def evidence_of_piece(
    piece: int, known: Iterable[Known], past: Mapping[str, Any] | None
) -> list[Evidence]:
    """All evidence of a piece, one per (channel, mid), the first that came to hand."""
    found: dict[tuple[str, str | None], Evidence] = {}
    if past is not None and past["piece"] == piece:
        found = {(one["channel"], one["mid"]): one for one in past["evidence"]}
    for event in known:
        if event["piece"] == piece:
            for one in event["evidence"]:
                way = (one["channel"], one["mid"])
                if way not in found:
                    found[way] = one
    return list(found.values())
