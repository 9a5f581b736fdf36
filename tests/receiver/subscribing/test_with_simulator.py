"""The simulator's Subscriptions API, with every oddity of it, ends where the registry says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.subscription import Status
from receiver.simulator.apis.usps import CLIENT_ID, CLIENT_SECRET, Terms
from receiver.simulator.box import Plan, UspsInABox, usps_in_a_box
from receiver.subscribing.books import Books
from receiver.subscribing.journal import Journal
from receiver.subscribing.reconcile import Ground, apply
from receiver.subscribing.report import Report
from receiver.subscribing.shapes import EventFilter
from receiver.subscribing.targets import Targets
from tests.receiver.fakes import FakeClock
from tests.receiver.subscribing.memory import URL, Fuse, wanted
from tests.receiver.subscribing.usps_server import api_at
from tests.receiver.subscribing.world import MemoryTopic

OTHER_MID = EventFilter("912345679", None, frozenset({"ALL_UPDATES"}))
MORE_TYPES = EventFilter("912345678", None, frozenset({"ALL_UPDATES", "PACKAGE_DELAYED"}))


class Town:
    """Our side of the simulator."""

    def __init__(self, box: UspsInABox, ground: Ground) -> None:
        self.box = box
        self.ground = ground

    async def apply(self, *declared: object, delete: bool = False) -> Report:
        """With these and no others."""
        one = {"acme": wanted(**declared[0])} if declared else {}  # type: ignore[arg-type]
        ids = dict.fromkeys(one)
        return await apply(Targets(wanted=one, declared_ids=ids), self.ground, delete=delete)

    def living(self) -> list[tuple[str, str, Status]]:
        """Listener, MID and status of all."""
        return [
            (one.listener_url, str(one.shipper.mid), one.status)
            for one in self.box.usps.subscriptions.values()
        ]


@asynccontextmanager
async def town(directory: Path, *oddities: ApiOddity) -> AsyncIterator[Town]:
    """Nothing is there yet."""
    clock = FakeClock()
    terms = Terms(mids=frozenset({"912345678", "912345679"}), oddities=frozenset(oddities))
    async with (
        usps_in_a_box(Plan(terms=terms), clock) as box,
        api_at(box.base_url, CLIENT_ID, CLIENT_SECRET, clock) as api,
    ):
        topic = MemoryTopic(Fuse())
        books = Books(topic.entries, topic)
        yield Town(box, Ground({"main": api}, {}, books, Journal(directory), clock))


EACH = [
    (),
    (ApiOddity.STALE_LIST,),
    (ApiOddity.LIST_NEEDS_MID,),
    (ApiOddity.ETAG_EXPIRY, ApiOddity.EMPTY_ERRORS),
    (ApiOddity.DUPLICATE_400,),
    (
        ApiOddity.STALE_LIST,
        ApiOddity.LIST_NEEDS_MID,
        ApiOddity.ETAG_EXPIRY,
        ApiOddity.DUPLICATE_400,
        ApiOddity.EMPTY_ERRORS,
    ),
]


@pytest.mark.parametrize("oddities", EACH, ids="+".join)
async def test_life_of_a_subscription(oddities: tuple[ApiOddity, ...], tmp_path: Path) -> None:
    """Created, changed, replaced, enabled again and deleted; at each time there is one."""
    async with town(tmp_path, *oddities) as one:
        assert not list((await one.apply({})).problems())
        assert one.living() == [(URL, "912345678", Status.ENABLED)]
        await one.apply({"listener_url": f"{URL}/2"})
        assert one.living() == [(f"{URL}/2", "912345678", Status.ENABLED)]
        await one.apply({"listener_url": f"{URL}/2", "filter": MORE_TYPES})
        assert one.living() == [(f"{URL}/2", "912345678", Status.ENABLED)]
        await one.apply({"filter": OTHER_MID})
        assert one.living() == [(URL, "912345679", Status.ENABLED)]
        [shown] = one.box.usps.subscriptions.values()
        one.box.usps.have([replace(shown, status=Status.SUSPENDED)])
        report = await one.apply({"filter": OTHER_MID})
        assert any("USPS suspended it" in note for note in report.entries[0].notes)
        assert one.living() == [(URL, "912345679", Status.ENABLED)]
        assert not (await one.apply({"filter": OTHER_MID})).changes
        await one.apply(delete=True)
        assert one.living() == []


async def test_lost_books_adopt_what_is_there(tmp_path: Path) -> None:
    """With nothing known here any more the duplicate that USPS names is taken for ours."""
    async with town(tmp_path, ApiOddity.DUPLICATE_400, ApiOddity.STALE_LIST) as one:
        await one.apply({})
        topic = MemoryTopic(Fuse())
        fresh = replace(one.ground, books=Books({}, topic), journal=Journal(tmp_path / "new"))
        again = Town(one.box, fresh)
        report = await again.apply({})
        assert not list(report.problems())
        assert len(one.living()) == 1
        assert list(topic.entries) == ["acme"]
