"""The program's own client of USPS gets on with the simulator at its oddest.

They share a clock that moves when the client waits: an hour's quota costs no time.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.usps import CLIENT_ID, CLIENT_SECRET, Terms
from receiver.simulator.box import Plan, UspsInABox, usps_in_a_box
from receiver.usps.access_tokens import ClientCredentials
from receiver.usps.account import Account
from receiver.usps.exchange import usps_session
from receiver.usps.http import UspsHttp
from receiver.usps.oauth import TokenEndpoint
from receiver.usps.tracking import LookupOutcome, TrackingApi
from schemas.metrics import UspsMetrics
from tests.receiver.simulator.apis.world import FOREIGN_MID, MID
from tests.receiver.usps.usps import FakeTime

UNKNOWN = f"92055{MID}00000018"
FOREIGN = f"92055{FOREIGN_MID}00000017"
_ODD = frozenset(ApiOddity) - {ApiOddity.TOO_MANY_BARE}


@asynccontextmanager
async def at_its_oddest(
    calls_per_hour: int,
) -> AsyncIterator[tuple[UspsInABox, UspsHttp, FakeTime]]:
    """A simulator and a client of it; 429s say when to come again."""
    time = FakeTime()
    plan = Plan(Terms(mids=frozenset([MID]), oddities=_ODD, calls_per_hour=calls_per_hour))
    async with usps_in_a_box(plan, time.clock) as box, usps_session() as session:
        account = Account("main", box.base_url, SecretStr(CLIENT_ID), CLIENT_SECRET)
        metrics = UspsMetrics(CollectorRegistry())
        endpoint = TokenEndpoint(session, account, time.timing, metrics)
        tokens = ClientCredentials(endpoint, time.clock)
        yield box, UspsHttp(session, account, tokens, time.timing, metrics), time


async def test_lookups_find_what_there_is_and_nothing_else() -> None:
    """A foreign number refuses its batch, an unknown one is told so, the others are found."""
    async with at_its_oddest(calls_per_hour=5) as (box, http, time):
        while len(box.usps.histories.numbers) < 20:
            box.step()
        known = box.usps.histories.numbers[:20]
        answers = await TrackingApi(http).look_up([*known, UNKNOWN, FOREIGN])
        outcomes = {one.tracking_number: one.outcome for one in answers}
        assert outcomes == {
            **dict.fromkeys(known, LookupOutcome.FOUND),
            UNKNOWN: LookupOutcome.UNKNOWN,
            FOREIGN: LookupOutcome.REFUSED,
        }
        assert time.slept, "the quota was never used up"


async def test_tokens_are_renewed_before_they_end() -> None:
    """Days of calls, one an hour: no call meets an expired token."""
    async with at_its_oddest(calls_per_hour=60) as (_, http, time):
        for _ in range(48):
            answered = await http.request(
                "GET", "/subscriptions", api="subscriptions", params={"MID": MID}, expected={404}
            )
            assert answered.status == 404
            time.clock.advance(3_600)
