"""USPS as the system tests play it: callbacks pushed at a rate, refused ones sent again."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp

from receiver.simulator.callbacks import by_shipper
from receiver.simulator.faults import FaultRates
from receiver.simulator.journeys import JourneyMaker
from receiver.simulator.oddities import MANY
from receiver.simulator.outgoing import Outgoing
from receiver.simulator.seeded import seeded
from receiver.simulator.stream import CallbackStream
from receiver.simulator.subscribers import Subscriber, shippers_of
from schemas.clock import rfc3339

AGAIN_SECONDS = 0.5
GIVE_UP_SECONDS = 60.0


@dataclass
class Pushed:
    """What was sent, and how it was answered at last."""

    accepted: list[Outgoing] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def published_event_ids(self) -> set[str]:
        """Of every callback that was answered 200 and is of use."""
        return {found for sent in self.accepted for found in sent.event_ids}


def callbacks(
    subscribers: Sequence[Subscriber], packages: int, seed: int, faults: FaultRates
) -> CallbackStream:
    """A seeded stream of requests about so many packages, odd ones many."""
    maker = JourneyMaker(seed, shippers_of(subscribers), datetime.now(UTC), MANY)
    return CallbackStream(
        maker.journeys(packages),
        by_shipper(subscribers),
        seeded(seed, "stream"),
        faults,
        active=min(40, packages),
        on_journey=lambda _: None,
    )


async def push(stream: CallbackStream, url: str, rate: float) -> Pushed:
    """Sends all of it; 503 and lost connections are tried again, as USPS may."""
    pushed = Pushed()
    began = time.monotonic()
    tasks: list[asyncio.Task[None]] = []
    connector = aiohttp.TCPConnector(limit=0)  # who waits for a connection is not answered late
    async with aiohttp.ClientSession(connector=connector) as session:
        while (request := stream.next(rfc3339(datetime.now(UTC)))) is not None:
            tasks.append(asyncio.create_task(_send(session, url, request, pushed)))
            await asyncio.sleep(max(0.0, began + len(tasks) / rate - time.monotonic()))
        await asyncio.gather(*tasks)
    return pushed


async def _send(
    session: aiohttp.ClientSession, url: str, request: Outgoing, pushed: Pushed
) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    headers = {"content-type": "application/json", **request.headers}
    while time.monotonic() < deadline:
        try:
            async with session.post(url, data=request.body, headers=headers) as answer:
                status, content = answer.status, await answer.json()
        except aiohttp.ClientError as error:
            pushed.again[type(error).__name__] += 1
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if status == 503:
            pushed.again["503"] += 1
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        _note(request, status, content, pushed)
        return
    pushed.wrong.append(f"given up: {request.slug}")


def _note(request: Outgoing, status: int, content: dict[str, object], pushed: Pushed) -> None:
    slug = "accepted" if content == {"received": True} else str(content.get("error"))
    if (status, slug) != (request.status, request.slug):
        pushed.wrong.append(f"{request.slug} was answered {status} {slug}")
    if status == 200:
        pushed.accepted.append(request)
    else:
        pushed.refused[slug] += 1
