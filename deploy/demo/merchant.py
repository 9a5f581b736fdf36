"""Simulated merchants: an HTTP server that verifies every delivery with the published library.

`POST /<endpoint>` takes deliveries, `GET /stats` counts them, `GET /events/<endpoint>` lists
the ids. Secrets come from the environment: `--endpoint acme-orders=VARIABLE`.
"""

import argparse
import asyncio
import os
import signal
import sys
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import uvloop
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from deploy.demo.received import Received

DEFAULT_PORT: Final = 8090
_LARGEST_BODY: Final = 4 * 1024 * 1024
# The library lets these escape on hostile input.
_UNVERIFIABLE: Final = (WebhookVerificationError, Base64Error, UnicodeDecodeError, ValueError)


class Endpoint:
    """One merchant's address: its secret, and what came."""

    def __init__(self, secret: str, *, keep_ids: bool) -> None:
        self._webhook = Webhook(secret)
        self.received = Received(keep_ids=keep_ids)

    def deliver(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Takes a request; the status that answers it."""
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            self._webhook.verify(body, lower, json_parse=False)
        except _UNVERIFIABLE:
            self.received.refuse("signature")
            return 401
        try:
            self.received.take(body, orjson.loads(body), lower)
        except (KeyError, TypeError, ValueError, AttributeError):
            self.received.refuse("no_event")
            return 400
        return 204


def create_app(endpoints: Mapping[str, Endpoint]) -> web.Application:
    """The application; unknown endpoints are 404."""

    async def deliver(request: web.Request) -> web.Response:
        endpoint = endpoints.get(request.match_info["name"])
        if endpoint is None:
            return web.Response(status=404)
        return web.Response(status=endpoint.deliver(await request.read(), request.headers))

    async def stats(_: web.Request) -> web.Response:
        return _json({name: one.received.stats() for name, one in endpoints.items()})

    async def events(request: web.Request) -> web.Response:
        endpoint = endpoints.get(request.match_info["name"])
        return _json([] if endpoint is None else endpoint.received.event_ids)

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_get("/stats", stats)
    app.router.add_get("/events/{name}", events)
    app.router.add_post("/{name}", deliver)
    return app


def _json(value: Any) -> web.Response:  # noqa: ANN401 -- any JSON value
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.merchant")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--endpoint", action="append", default=[], metavar="NAME=VARIABLE")
    parser.add_argument("--keep-ids", action="store_true", help="remember every event id")
    given = parser.parse_args(arguments)
    endpoints = {}
    for name, _, variable in (endpoint.partition("=") for endpoint in given.endpoint):
        secret = os.environ.get(variable, "")
        if not secret:
            print(f"{name}: the environment variable {variable} is not set", file=sys.stderr)
            return 1
        endpoints[name] = Endpoint(secret, keep_ids=given.keep_ids)
    uvloop.run(_serve(create_app(endpoints), given.port))
    return 0


async def _serve(app: web.Application, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
