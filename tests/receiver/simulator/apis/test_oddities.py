"""Each oddity of USPS's APIs, on and off."""

import pytest

from receiver.simulator.apis.oddities import (
    TEXTS,
    ApiOddity,
    described,
    parse_oddities,
)
from receiver.simulator.apis.shelf import LIST_LAG
from receiver.simulator.apis.traffic import FAILURES_TO_SUSPEND
from schemas.errors import OperatorError
from tests.receiver.simulator.apis.world import (
    FOREIGN_MID,
    MID,
    SUBSCRIPTIONS,
    World,
    new_subscription,
    world,
)

URL = "http://127.0.0.1:1/usps/tracking"
_DAY = 86_400
_HOUR = 3_600


async def test_lists_are_a_minute_old() -> None:
    """New ones are missing from the list and deleted ones still in it; reading one is fresh."""
    async with world(ApiOddity.STALE_LIST) as usps:
        created = await usps.client.subscribe(URL)
        one = created.body["subscriptionId"]
        assert (await usps.client.list()).body["subscriptions"] == []
        usps.clock.advance(LIST_LAG.total_seconds())
        assert [s["subscriptionId"] for s in (await usps.client.list()).body["subscriptions"]] == [
            one
        ]
        await usps.client.delete(one, created.etag)
        assert (await usps.client.list()).body["metadata"]["totalCount"] == 1
        assert (await usps.client.read(one)).status == 404
        usps.clock.advance(LIST_LAG.total_seconds())
        assert (await usps.client.list()).body["subscriptions"] == []


async def test_lists_need_a_mid_and_are_not_empty() -> None:
    """400 without MID; 404 where there is none."""
    async with world(ApiOddity.LIST_NEEDS_MID) as usps:
        await usps.client.subscribe(URL)
        assert (await usps.client.list()).status == 400
        assert (await usps.client.list(MID=MID)).status == 200
        assert (await usps.client.list(MID=FOREIGN_MID)).status == 404


@pytest.mark.parametrize(("oddities", "status"), [((), 200), ((ApiOddity.ETAG_EXPIRY,), 412)])
async def test_etags_end_after_an_hour(oddities: tuple[ApiOddity, ...], status: int) -> None:
    """Unused ones too; a second before they are good."""
    async with world(*oddities) as usps:
        created = await usps.client.subscribe(URL)
        one, asked = created.body["subscriptionId"], new_subscription(URL)
        usps.clock.advance(_HOUR - 1)
        assert (await usps.client.change(one, created.etag, asked)).status == 200
        fresh = (await usps.client.read(one)).etag
        usps.clock.advance(_HOUR)
        assert (await usps.client.change(one, fresh, asked)).status == status


async def test_doubles_are_refused_with_the_id_of_the_first() -> None:
    """400, whose message names the subscription that exists; another URL is no double."""
    async with world(ApiOddity.DUPLICATE_400, ApiOddity.EMPTY_ERRORS) as usps:
        one = (await usps.client.subscribe(URL)).body["subscriptionId"]
        refused = await usps.client.subscribe(URL)
        assert refused.status == 400
        assert one in refused.body["error"]["message"]
        assert (await usps.client.subscribe(URL + "/2")).status == 201
    async with world() as usps:
        await usps.client.subscribe(URL)
        assert (await usps.client.subscribe(URL)).status == 201


async def test_errors_can_be_empty() -> None:
    """The list of details is there and holds nothing."""
    async with world(ApiOddity.EMPTY_ERRORS) as usps:
        refused = await usps.client.read("nothing")
        assert (refused.status, refused.body["error"]["errors"]) == (404, [])


async def used_up(usps: World, calls: int) -> None:
    """Calls until the quota is gone; logging in was one."""
    for _ in range(calls - 1):
        assert (await usps.client.list()).status == 200


async def test_quota_says_when_to_come_again() -> None:
    """429 with Retry-After, after which one more call goes through; the body names a product."""
    async with world(ApiOddity.TOO_MANY_WITH_RETRY_AFTER, calls_per_hour=10) as usps:
        await used_up(usps, 10)
        refused = await usps.client.list()
        assert refused.status == 429
        assert "APIProduct" in refused.body["error"]["errors"][0]["source"]
        usps.clock.advance(int(refused.headers["Retry-After"]))
        assert (await usps.client.list()).status == 200
        assert (await usps.client.list()).status == 429


async def test_quota_can_be_silent_and_counts_tokens() -> None:
    """429 without Retry-After; a request for a token is refused too, in OAuth's shape."""
    async with world(ApiOddity.TOO_MANY_BARE, calls_per_hour=3) as usps:
        await used_up(usps, 3)
        refused = await usps.client.list()
        assert (refused.status, "Retry-After" in refused.headers) == (429, False)
        with pytest.raises(KeyError):
            await usps.client.log_in()


async def test_both_kinds_of_429_alternate() -> None:
    """With both on, every other one says when."""
    both = (ApiOddity.TOO_MANY_WITH_RETRY_AFTER, ApiOddity.TOO_MANY_BARE)
    async with world(*both, calls_per_hour=1) as usps:
        told = ["Retry-After" in (await usps.client.list()).headers for _ in range(4)]
        assert told == [True, False, True, False]


async def test_foreign_mids_are_refused() -> None:
    """403 in the words that integrators know; without the oddity nobody asks."""
    async with world(ApiOddity.UNAUTHORISED_MIDS_403) as usps:
        refused = await usps.client.subscribe(URL, FOREIGN_MID)
        assert refused.status == 403
        for words in ("MID is not authorized to access", "Access Controls", "IP Agreement"):
            assert words in refused.body["error"]["message"]
        assert (await usps.client.subscribe(URL, MID)).status == 201
    async with world() as usps:
        assert (await usps.client.subscribe(URL, FOREIGN_MID)).status == 201


async def test_failures_suspend_until_enabled() -> None:
    """Ten failures in a row: SUSPENDED with its reason, nothing is sent; PUT ENABLED recovers."""
    async with world(ApiOddity.SUSPEND_AFTER_FAILURES) as usps:
        created = await usps.client.subscribe(usps.listener.url)
        one = created.body["subscriptionId"]
        usps.listener.status = 503
        while usps.box.usps.subscriptions[one].is_called:
            await usps.box.tell(1)
        suspended = (await usps.client.read(one)).body
        assert suspended["status"] == "SUSPENDED"
        assert suspended["statusReason"] == "Unable to reach listener"
        assert usps.notices == [("suspended", one)]
        sent = len(usps.listener.requests)
        assert sent == FAILURES_TO_SUSPEND
        usps.listener.status = 200
        await usps.box.tell(30)
        assert len(usps.listener.requests) == sent
        etag = (await usps.client.read(one)).etag
        asked = new_subscription(usps.listener.url) | {"status": "ENABLED"}
        assert (await usps.client.change(one, etag, asked)).body["status"] == "ENABLED"
        await usps.box.tell(10)
        assert len(usps.listener.requests) == sent + 10


async def test_a_success_ends_a_row_of_failures() -> None:
    """Nine failures and one success, again and again, suspend nothing; nor does anything else."""
    async with world(ApiOddity.SUSPEND_AFTER_FAILURES) as usps:
        one = (await usps.client.subscribe(usps.listener.url)).body["subscriptionId"]
        for _ in range(3):
            usps.listener.status = 500
            await usps.box.tell(FAILURES_TO_SUSPEND - 1)
            usps.listener.status = 200
            await usps.box.tell(1)
        assert usps.box.usps.subscriptions[one].is_called


async def test_idle_subscriptions_are_deleted_after_thirty_days() -> None:
    """Warned of at 25 days, gone at 30; traffic begins the count anew."""
    async with world(ApiOddity.IDLE_DELETION) as usps:
        one = (await usps.client.subscribe(usps.listener.url)).body["subscriptionId"]
        usps.clock.advance(29 * _DAY)
        await usps.client.log_in()
        assert (await usps.client.read(one)).status == 200
        assert usps.notices == [("idle_warned", one)]
        await usps.box.tell(3)
        usps.clock.advance(29 * _DAY)
        await usps.client.log_in()
        assert (await usps.client.read(one)).status == 200
        usps.clock.advance(_DAY)
        await usps.client.log_in()
        assert (await usps.client.read(one)).status == 404
        assert usps.notices[1:] == [("idle_warned", one), ("idle_deleted", one)]
        sent = len(usps.listener.requests)
        await usps.box.tell(5)
        assert len(usps.listener.requests) == sent


async def test_without_the_oddity_nothing_is_deleted() -> None:
    """A year of silence changes nothing."""
    async with world() as usps:
        one = (await usps.client.subscribe(URL)).body["subscriptionId"]
        usps.clock.advance(365 * _DAY)
        await usps.client.log_in()
        assert (await usps.client.read(one)).status == 200


def test_oddities_are_read_or_refused_with_their_names() -> None:
    """`--oddities` takes none, all or names; anything else is refused."""
    assert parse_oddities("none") == frozenset()
    assert parse_oddities("all") == frozenset(ApiOddity)
    assert parse_oddities("stale-list, 429-bare") == {
        ApiOddity.STALE_LIST,
        ApiOddity.TOO_MANY_BARE,
    }
    for wrong in ("", "stale", "stale-list;429-bare"):
        with pytest.raises(OperatorError, match="idle-deletion"):
            parse_oddities(wrong)


def test_every_oddity_is_described() -> None:
    """The command's help says what each does."""
    assert set(TEXTS) == set(ApiOddity)
    assert all(oddity in described() for oddity in ApiOddity)
    assert SUBSCRIPTIONS not in described()
