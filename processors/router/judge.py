"""Judges one event: who is concerned by it, who may see it, and how much of it. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from processors.router.events import RoutedEvent
from schemas.access import (
    Allowed,
    Reason,
    Subject,
    authorize,
    candidates,
    tokens_asked,
    without_candidate,
)
from schemas.records import DecisionCause
from schemas.registry.entities import MerchantAccessToken
from schemas.registry.index import Registry


class Party(NamedTuple):
    """What was decided for one party; without a reason it is allowed.

    Attributes:
        merchant: None: nobody is a candidate.
        grant: A grant's id or `owner:<mid>`, where allowed.
        reason: Where withheld.
        derived: It may also have what was derived from all evidence of the piece.
    """

    merchant: str | None
    grant: str | None
    reason: Reason | None
    derived: bool = False


class Judgement(NamedTuple):
    """One decision: every party considered, and the tokens that were asked as they were seen."""

    cause: DecisionCause
    parties: list[Party]
    observed_tokens: Sequence[MerchantAccessToken] = ()


def judge(event: RoutedEvent, registry: Registry, at: datetime) -> Judgement:
    """Decides for each candidate; on new evidence only for those who had no right before.

    `at`: the moment for which terms, tokens, agreements and accounts are judged, in UTC.
    """
    cause = DecisionCause.NEW_EVIDENCE if event.new_evidence else DecisionCause.FIRST
    found = candidates(registry, event.subject)
    if not found:
        nobody = Party(None, None, without_candidate(registry, event.subject))
        return Judgement(cause, [nobody])
    return Judgement(
        cause,
        [
            _decide(event, registry, merchant, at)
            for merchant in found
            if not any(_may(registry, earlier, merchant, at) for earlier in event.earlier)
        ],
        _observed(registry, event.subject, found) if registry.observed_tokens else (),
    )


def _observed(
    registry: Registry, subject: Subject, merchants: Sequence[str]
) -> list[MerchantAccessToken]:
    """Of the tokens that decide for these merchants, those for which something was seen."""
    asked = {
        token.id: token
        for merchant in merchants
        for token in tokens_asked(registry, subject, merchant)
        if token.id in registry.observed_tokens
    }
    return list(asked.values())


def _decide(event: RoutedEvent, registry: Registry, merchant: str, at: datetime) -> Party:
    access = authorize(registry, event.subject, merchant, at)
    if not isinstance(access, Allowed):
        return Party(merchant, None, access.reason)
    return Party(merchant, access.grant, None, _may_all(event, registry, merchant, at))


def _may_all(event: RoutedEvent, registry: Registry, merchant: str, at: datetime) -> bool:
    """Whether each evidence of the piece would let the party see it; it may see this one."""
    if event.piece is None:
        return False
    return all(one is event.subject or _may(registry, one, merchant, at) for one in event.piece)


def _may(registry: Registry, subject: Subject, merchant: str, at: datetime) -> bool:
    return isinstance(authorize(registry, subject, merchant, at), Allowed)
