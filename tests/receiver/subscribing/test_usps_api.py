"""The API over HTTP and the one in memory are the same; and what only HTTP can do wrong."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from pydantic import SecretStr

from receiver.subscribing.api import DuplicateSubscription, SubscriptionsApi, TagStale
from receiver.subscribing.shapes import EventFilter
from receiver.usps.errors import UspsRefused, UspsUnavailable
from tests.receiver.fakes import FakeClock
from tests.receiver.subscribing.memory import NEW, OLD, URL, Fuse, MemoryUsps, Oddities, wanted
from tests.receiver.subscribing.usps_server import UspsServer, error, real_api

OTHER_URL = f"{URL}/2"


class Side:
    """An API, and the USPS behind it."""

    def __init__(self, usps: MemoryUsps, api: SubscriptionsApi, server: UspsServer) -> None:
        self.usps = usps
        self.api = api
        self.server = server


@pytest.fixture(params=["memory", "http"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    """Both, with the same tests."""
    usps = MemoryUsps("main", FakeClock(), Fuse(), Oddities())
    server = UspsServer(usps)
    async with AsyncExitStack() as stack:
        over_http = request.param == "http"
        api = await stack.enter_async_context(real_api(server)) if over_http else usps
        yield Side(usps, api, server)


@pytest.fixture
async def http() -> AsyncIterator[Side]:
    """Over HTTP."""
    usps = MemoryUsps("main", FakeClock(), Fuse(), Oddities())
    server = UspsServer(usps)
    async with real_api(server) as api:
        yield Side(usps, api, server)


async def test_what_is_created_is_found(side: Side) -> None:
    """By id and in the list of its MID, with everything that was declared."""
    made = await side.api.create(wanted())
    assert made.fresh
    tagged = await side.api.get(made.subscription_id)
    assert tagged is not None
    shown = tagged.subscription
    assert (shown.listener_url, shown.filter) == (URL, wanted().filter)
    assert shown.status == "ENABLED"
    [listed] = await side.api.find(wanted().filter)
    assert listed.subscription_id == made.subscription_id


async def test_nothing_there(side: Side) -> None:
    """An unknown id is None, an empty list is empty, what is gone is deleted well."""
    assert await side.api.get("0190aa11-2b3c-7d4e-8f50-61728394a5b6") is None
    assert not await side.api.find(wanted().filter)
    made = await side.api.create(wanted())
    tagged = await side.api.get(made.subscription_id)
    assert tagged is not None
    side.usps.stored.clear()
    await side.api.delete(tagged)
    assert not await side.api.replace(tagged, wanted())


async def test_second_one_is_told_with_the_first(side: Side) -> None:
    """A duplicate names the one that is there, or answers with it; both are told apart."""
    made = await side.api.create(wanted())
    with pytest.raises(DuplicateSubscription) as caught:
        await side.api.create(wanted())
    assert caught.value.subscription_id == made.subscription_id
    side.usps.oddities.duplicates = "unnamed"
    with pytest.raises(DuplicateSubscription) as caught:
        await side.api.create(wanted())
    assert caught.value.subscription_id is None
    side.usps.oddities.duplicates = "repeat"
    again = await side.api.create(wanted())
    assert (again.subscription_id, again.fresh) == (made.subscription_id, False)


async def test_change_needs_the_etag_of_now(side: Side) -> None:
    """A used or foreign ETag is stale; a new reading is not."""
    made = await side.api.create(wanted())
    tagged = await side.api.get(made.subscription_id)
    assert tagged is not None
    assert await side.api.replace(tagged, wanted(listener_url=OTHER_URL, secret=SecretStr(OLD)))
    with pytest.raises(TagStale):
        await side.api.replace(tagged, wanted())
    with pytest.raises(TagStale):
        await side.api.delete(tagged)
    tagged = await side.api.get(made.subscription_id)
    assert tagged is not None
    assert tagged.subscription.listener_url == OTHER_URL
    await side.api.delete(tagged)
    assert await side.api.get(made.subscription_id) is None


async def test_echoed_secret_becomes_a_mark(side: Side) -> None:
    """What USPS repeats is known again, and is in no text."""
    side.usps.oddities.echo = "plain"
    made = await side.api.create(wanted())
    tagged = await side.api.get(made.subscription_id)
    assert tagged is not None
    assert tagged.subscription.echoed_mark == wanted().mark
    assert NEW not in repr(tagged)


async def test_long_list_is_read_to_its_end(http: Side) -> None:
    """All pages, each within the limit that USPS allows, and always with the MID."""
    for number in range(130):
        http.usps.put_there(wanted().filter, f"{URL}/{number}")
    assert len(await http.api.find(wanted().filter)) == 130
    assert {query["MID"] for query in http.server.queries} == {"912345678"}


async def test_list_by_number_that_is_refused_is_empty(http: Side) -> None:
    """USPS was seen to list by MID only: then creation and duplicates have to tell."""
    by_number = EventFilter(None, "9205512345678000000017", frozenset({"ALL_UPDATES"}))
    assert not await http.api.find(by_number)
    made = await http.api.create(wanted(filter=by_number))
    tagged = await http.api.get(made.subscription_id)
    assert tagged is not None
    assert tagged.subscription.filter == by_number


async def test_secret_in_a_refusal_is_not_shown(http: Side) -> None:
    """USPS repeats what was sent in its errors; ours say nothing of it."""
    http.server.echo_in_errors = True
    await http.api.create(wanted())
    with pytest.raises(DuplicateSubscription) as caught:
        await http.api.create(replace(wanted()))
    shown = f"{caught.value!r} {caught.value.detail} {caught.value.__cause__!r}"
    assert NEW not in shown


async def test_other_refusals_stay_refusals(http: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 400 for another reason is no duplicate, also when it repeats a UUID of ours."""
    uuid = "0190aa11-2b3c-7d4e-8f50-61728394a5b6"

    class Refusing:
        async def request(self, *_: object, **__: object) -> object:
            raise UspsRefused("bad_request", "no", status=400, said=f"{URL}/{uuid} is not allowed")

    api = type(http.api)(Refusing())  # type: ignore[call-arg]
    with pytest.raises(UspsRefused):
        await api.create(wanted(listener_url=f"{URL}/{uuid}"))


async def test_id_of_any_text_is_one_part_of_the_path(http: Side) -> None:
    """A declared id cannot lead to another operation."""
    assert await http.api.get("../subscriptions?MID=1") is None


def test_error_helper_has_usps_shape() -> None:
    """The server of these tests refuses as USPS does: texts may be empty."""
    assert error(404, "").status == 404
    assert issubclass(UspsUnavailable, UspsRefused)
