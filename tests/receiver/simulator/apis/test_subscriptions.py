"""Subscriptions are created, read, listed, changed and deleted as USPS's document says."""

from typing import Any

from receiver.simulator.apis.book import MOST_LISTENER_URLS
from tests.receiver.simulator.apis.document import fits
from tests.receiver.simulator.apis.world import (
    MID,
    OTHER_CLIENT,
    SECRET,
    SUBSCRIPTIONS,
    Answered,
    new_subscription,
    world,
)

URL = "http://127.0.0.1:1/usps/tracking"


async def test_created_subscriptions_can_be_read() -> None:
    """201 with Location and ETag; reading gives the same, with another ETag."""
    async with world() as usps:
        created = await usps.client.subscribe(URL, MID, "ALL_UPDATES", "PACKAGE_DELAYED")
        assert created.status == 201
        told = created.body
        assert created.headers["Location"] == f"{SUBSCRIPTIONS}/{told['subscriptionId']}"
        assert (told["status"], told["secret"], len(told["subscriptionId"])) == (
            "ENABLED", SECRET, 36,
        )  # fmt: skip
        assert told["expirationTimestamp"] > told["creationTimestamp"]
        read = await usps.client.read(told["subscriptionId"])
        assert (read.status, read.body) == (200, told)
        assert read.etag != created.etag


async def test_by_number_subscriptions_take_a_number() -> None:
    """The other filter: one tracking number, told of everything unless it says otherwise."""
    async with world() as usps:
        asked = new_subscription(URL) | {"filterProperties": {"trackingNumber": "9205591"}}
        created = await usps.client.call("POST", SUBSCRIPTIONS, asked)
        assert created.body["filterProperties"] == {
            "trackingNumber": "9205591",
            "trackingEventTypes": ["ALL_UPDATES"],
        }


WRONG: list[dict[str, Any]] = [
    {"secret": "too short"},
    {"secret": "x" * 33},
    {"listenerURL": "ftp://example.com/a"},
    {"listenerURL": "https://example.com/" + "a" * 200},
    {"listenerURL": "https://example.com:65536/"},
    {"adminNotification": []},
    {"adminNotification": [{"email": f"{n}@example.com"} for n in range(4)]},
    {"adminNotification": [{"email": "a" * 39 + "@example.com"}]},
    {"filterProperties": {}},
    {"filterProperties": {"MID": "12345"}},
    {"filterProperties": {"MID": MID, "trackingNumber": "9205591"}},
    {"filterProperties": {"MID": MID, "trackingEventTypes": ["ALL"]}},
    {"filterProperties": {"trackingNumber": "92", "trackingEventTypes": ["ALL_UPDATES"]}},
    {
        "filterProperties": {
            "trackingNumber": "9205591",
            "trackingEventTypes": ["SCAN_EVENT_EXTRACT"],
        }
    },
    {"status": "SUSPENDED"},
]


async def test_wrong_creations_are_refused() -> None:
    """400 names the field; the secret is not repeated, and nothing is created."""
    async with world() as usps:
        for wrong in WRONG:
            asked = new_subscription(URL) | wrong
            assert not fits({"$ref": "#/components/schemas/NewSubscription"}, asked), wrong
            refused = await usps.client.call("POST", SUBSCRIPTIONS, asked, valid=False)
            assert refused.status == 400
            (detail,) = refused.body["error"]["errors"]
            assert detail["source"]["parameter"].startswith(next(iter(wrong)))
            assert SECRET not in str(refused.body)
        assert (await usps.client.list()).body["subscriptions"] == []


async def test_what_is_no_json_object_is_refused() -> None:
    """Any other body, and any other media type, is a 400."""
    async with world() as usps:
        bodies: tuple[object, ...] = ([], "x", 1, None)
        for body in bodies:
            refused = await usps.client.call("POST", SUBSCRIPTIONS, body, valid=False)
            assert refused.status == 400
        asked = new_subscription(URL)
        refused = await usps.client.call("POST", SUBSCRIPTIONS, asked, Content_Type="text/xml")
        assert refused.status == 400


async def test_lists_are_filtered_and_paged() -> None:
    """By MID and number, 20 at a time unless told otherwise; metadata say how many there are."""
    async with world() as usps:
        for number in range(7):
            await usps.client.subscribe(URL, f"91234567{number}")
        page = await usps.client.list(limit="3", offset="3")
        mids = [one["filterProperties"]["MID"] for one in page.body["subscriptions"]]
        assert mids == ["912345673", "912345674", "912345675"]
        assert page.body["metadata"] == {
            "limit": 3, "offset": 3, "totalCount": 7, "page": 2, "totalPages": 3,
        }  # fmt: skip
        some = await usps.client.list(MID="912345671,912345675,999999999")
        assert some.body["metadata"]["totalCount"] == 2
        assert (await usps.client.list(MID="999999999")).body["subscriptions"] == []


async def test_wrong_queries_are_refused() -> None:
    """Bounds are kept, and unknown parameters are a 400."""
    async with world() as usps:
        for query in (
            "limit=0",
            "limit=101",
            "offset=-1",
            "offset=x",
            "limit=²",
            "unheard=of",
            "MID=",
            "MID=1",
        ):
            name, _, value = query.partition("=")
            assert (await usps.client.list(**{name: value})).status == 400


async def changed(usps: Any, **changes: object) -> tuple[Answered, Answered]:
    """A new subscription and the answer to a change of it."""
    created = await usps.client.subscribe(URL)
    asked = new_subscription(URL) | changes
    subscription_id = created.body["subscriptionId"]
    return created, await usps.client.change(subscription_id, created.etag, asked)


async def test_url_secret_and_status_can_be_changed() -> None:
    """PUT with a good ETag; the next reading says so."""
    async with world() as usps:
        usps.clock.advance(5)
        more = {"listenerURL": URL + "/2", "secret": "s" * 32, "status": "DISABLED"}
        created, answered = await changed(usps, **more)
        assert answered.status == 200
        assert {name: answered.body[name] for name in more} == more
        subscription_id = created.body["subscriptionId"]
        assert (await usps.client.read(subscription_id)).body == answered.body


async def test_filters_cannot_be_changed() -> None:
    """They are a 400, also when only the event types differ."""
    async with world() as usps:
        for filters in ({"MID": "123456"}, {"MID": MID, "trackingEventTypes": ["PACKAGE_DELAYED"]}):
            _, refused = await changed(usps, filterProperties=filters)
            assert refused.status == 400


async def test_etags_are_good_for_one_change() -> None:
    """Whoever changes with a used one gets 412, without one 400; a fresh one works."""
    async with world() as usps:
        created, _ = await changed(usps)
        one, asked = created.body["subscriptionId"], new_subscription(URL)
        assert (await usps.client.change(one, created.etag, asked)).status == 412
        assert (await usps.client.delete(one, created.etag)).status == 412
        assert (await usps.client.delete(one, "")).status == 400
        fresh = (await usps.client.read(one)).etag
        assert (await usps.client.delete(one, f'"{fresh}"')).status == 204
        assert (await usps.client.read(one)).status == 404
        assert (await usps.client.delete(one, fresh)).status == 404


async def test_an_eleventh_listener_url_is_refused() -> None:
    """Ten per customer, however many subscriptions share them."""
    async with world(calls_per_hour=10_000) as usps:
        for number in range(MOST_LISTENER_URLS):
            assert (await usps.client.subscribe(f"{URL}/{number}")).status == 201
        assert (await usps.client.subscribe(f"{URL}/0", "123456")).status == 201
        refused = await usps.client.subscribe(f"{URL}/more")
        assert refused.status == 400
        assert refused.body["error"]["errors"][0]["source"] == {"parameter": "listenerURL"}


async def test_clients_see_only_their_own() -> None:
    """Another application's subscription is not there, whoever asks by its id."""
    async with world() as usps:
        one = (await usps.client.subscribe(URL)).body["subscriptionId"]
        await usps.client.log_in(**OTHER_CLIENT)
        assert (await usps.client.read(one)).status == 404
        assert (await usps.client.list()).body["subscriptions"] == []


async def test_unknown_paths_and_methods_are_refused_in_the_same_shape() -> None:
    """404 and 405, as JSON."""
    async with world() as usps:
        for method, path, status in (("GET", "/nothing", 404), ("PATCH", SUBSCRIPTIONS, 405)):
            async with usps.client.session.request(method, usps.box.base_url + path) as response:
                body = await response.json()
                assert (response.status, body["error"]["code"]) == (status, str(status))
