"""A merchant's endpoint in the test's own loop: verifies, remembers, and can be down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook


@dataclass
class Received:
    """What one destination was handed, in the order of arrival."""

    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    unverified: int = 0

    @property
    def event_ids(self) -> set[str]:
        """Of everything accepted."""
        return set(self.bodies)

    def out_of_order(self) -> list[tuple[str, int, int]]:
        """First sends of a number whose sequence is below an earlier one's."""
        seen: set[str] = set()
        highest: dict[str, int] = {}
        wrong = []
        for event in self.events:
            number, sequence = event["tracking_number"], event["sequence"]
            if event["event_id"] in seen or event["new_evidence"]:
                continue
            seen.add(event["event_id"])
            if sequence < highest.get(number, 0):
                wrong.append((number, highest[number], sequence))
            highest[number] = max(sequence, highest.get(number, 0))
        return wrong


class Merchants:
    """Every destination of a test at one port, by the path."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self.received: dict[str, Received] = {}

    def of(self, destination: str) -> Received:
        """What this destination was handed so far."""
        return self.received.setdefault(destination, Received())

    async def take(self, request: web.Request) -> web.Response:
        """Verifies with the published library, then answers as the test wants."""
        received = self.of(request.match_info["destination"])
        body = await request.read()
        if received.status != 200:
            return web.Response(status=received.status)
        try:
            self._webhook.verify(body, dict(request.headers))
        except Exception:  # the library raises several kinds
            received.unverified += 1
            return web.Response(status=400)
        event = orjson.loads(body)["data"]
        assert request.headers["webhook-id"] == event["event_id"]
        received.bodies.setdefault(event["event_id"], set()).add(body)
        received.events.append(event)
        return web.Response(status=200)

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[None]:
        """Serves until the block ends."""
        app = web.Application()
        app.router.add_post("/{destination}", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield
        finally:
            await runner.cleanup()
