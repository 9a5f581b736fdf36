"""ETags: each is good for one change, and by USPS's document for one hour."""

from datetime import datetime, timedelta
from random import Random
from typing import Final

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.refusals import PRECONDITION_FAILED, ApiRefusal, bad_request
from schemas.clock import Clock

LIFE: Final = timedelta(hours=1)
# Of one subscription that is read again and again.
_KEPT: Final = 100
_BYTES: Final = 20


class Etags:
    """What was given out for each subscription and may still be used."""

    def __init__(self, oddities: frozenset[ApiOddity], choose: Random, clock: Clock) -> None:
        self._expire = ApiOddity.ETAG_EXPIRY in oddities
        self._choose = choose
        self._clock = clock
        self._given: dict[str, dict[str, datetime]] = {}

    def give(self, subscription_id: str) -> str:
        """A new one, without quotes, as USPS's example has it."""
        given = self._given.setdefault(subscription_id, {})
        if len(given) >= _KEPT:
            del given[next(iter(given))]
        etag = self._choose.randbytes(_BYTES).hex()
        given[etag] = self._clock.now()
        return etag

    def check(self, subscription_id: str, if_match: str | None) -> None:
        """Raises `ApiRefusal`: 400 without one, 412 for one that is no longer good."""
        if not if_match:
            raise bad_request("OASValidation: If-Match is required", "If-Match")
        given = self._given.get(subscription_id, {}).get(if_match.strip('" '))
        if given is None or (self._expire and self._clock.now() - given >= LIFE):
            raise ApiRefusal(
                PRECONDITION_FAILED,
                "precondition_failed",
                "Simulated: the ETag is used, expired or unknown; read the subscription again.",
                parameter="If-Match",
            )

    def forget(self, subscription_id: str) -> None:
        """The subscription changed: none of its ETags is good any more."""
        self._given.pop(subscription_id, None)
