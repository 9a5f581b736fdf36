"""Which numbers may be asked for: those whose answer somebody of the registry may have.

USPS decides by the MID in the barcode (access rules of 2026-04-01) and refuses what the caller
has no right to; a call of the quota would be lost. So the registry is asked first.
"""

from datetime import datetime
from typing import Final

from receiver.feeds.journal import Plan, WantedNumber
from receiver.usps.tracking import LookupOutcome, is_askable
from schemas.access import Allowed, Reason, Subject, authorize, candidates, without_candidate
from schemas.event import Channel
from schemas.identifiers import MidStatus, normalize_tracking_number
from schemas.registry.index import Registry

# Before the reason, in the state of a number that is not asked for.
NOT_ASKED: Final = "not_asked:"
_ORDER: Final = {reason: at for at, reason in enumerate(Reason)}


def why_not_asked(registry: Registry, wanted: WantedNumber, now: datetime) -> str | None:
    """The state that keeps a number from being asked for now; None: it may be."""
    if not is_askable(wanted.tracking_number):
        return LookupOutcome.INVALID.value
    reason = _reason(registry, wanted, now)
    return None if reason is None else f"{NOT_ASKED}{reason.value}"


class Planner:
    """Takes numbers down, each with what keeps it from being asked for, if anything does."""

    def __init__(self, plan: Plan, registry: Registry, now: datetime) -> None:
        self._plan = plan
        self._registry = registry
        self._now = now

    def want(self, wanted: WantedNumber) -> None:
        """A number to be asked for, if that may be."""
        why = why_not_asked(self._registry, wanted, self._now)
        if why is None:
            self._plan.add(wanted)
        else:
            self._plan.add(wanted, why)

    def invalid(self, text: str) -> None:
        """What is no number at all."""
        self._plan.add(WantedNumber(text), LookupOutcome.INVALID.value)

    def drop(self, tracking_number: str) -> None:
        """Not wanted after all."""
        self._plan.drop(tracking_number)


def _reason(registry: Registry, wanted: WantedNumber, now: datetime) -> Reason | None:
    """None if one party at least may have an answer received now."""
    subject = _subject(wanted, now)
    parties = candidates(registry, subject)
    if not parties:
        return without_candidate(registry, subject)
    reasons = []
    for merchant in parties:
        access = authorize(registry, subject, merchant, now)
        if isinstance(access, Allowed):
            return None
        reasons.append(access.reason)
    return min(reasons, key=_ORDER.__getitem__)


def _subject(wanted: WantedNumber, now: datetime) -> Subject:
    """By our evidence of the piece, else by a barcode that names one MID, check digit or not.

    The barcode is no proof, so it opens nothing to a merchant; it only tells what to ask.
    """
    number = normalize_tracking_number(wanted.tracking_number)
    mid = wanted.mid
    if mid is None:
        mid = number.mid
    ambiguous = mid is None and number.mid_status is MidStatus.AMBIGUOUS
    return Subject(number.value, mid, ambiguous, Channel.API, now)
