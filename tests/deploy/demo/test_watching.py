"""The demo reads its programs' metrics and shows them, also without a terminal."""

import io

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from deploy.demo.layout import Ports
from deploy.demo.metrics import Reading, Watcher
from deploy.demo.screen import Place, Screen
from schemas.metrics import PackagesMetrics, ReceiverMetrics, RouterMetrics, SinkMetrics

READING = Reading(
    answers={"accepted": 41, "signature_mismatch": 1},
    lags={"packages": 3},
    decisions={"allowed": 40, "terms_not_accepted": 7},
    deliveries={"acme-orders": {"accepted": 40, "filtered": 2, "dead_lettered": 1}},
    merchants={
        "acme-orders": {"distinct": 40, "recent_latency_seconds": {"p50": 0.012, "p99": 0.034}}
    },
)


def exposition() -> bytes:
    """Metrics of all four programs under one address."""
    registry = CollectorRegistry()
    ReceiverMetrics(registry).callbacks.labels("accepted").inc(5)
    PackagesMetrics(registry).lag.labels("0").set(3)
    router = RouterMetrics(registry)
    router.lag.labels("0").set(1)
    router.lag.labels("1").set(1)
    router.decisions.labels("allowed").inc(4)
    SinkMetrics(registry).deliveries.labels("acme-orders", "accepted").inc(2)
    return generate_latest(registry)


async def test_metrics_are_read_by_name() -> None:
    """Every metric that the demo shows exists under its name; silence counts as nothing."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=exposition())

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"ready": False, "reasons": ["no broker"]}, status=503)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/health/ready", ready)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        port = server.port or 0
        watcher = Watcher(Ports(port, port, port, port, port, merchant=1), session)
        reading = await watcher.read()
        why = await watcher.not_ready(f"http://127.0.0.1:{port}/health/ready")
        nobody = await watcher.not_ready("http://127.0.0.1:1/")
    assert reading.answers == {"accepted": 5}
    assert reading.lags == {"packages": 3, "router": 2, "sinks": 0}
    assert reading.decisions == {"allowed": 4}
    assert reading.deliveries == {"acme-orders": {"accepted": 2}}
    assert reading.merchants == {}
    assert (why, nobody) == ("no broker", "it does not answer yet")


def test_plain_lines_hold_the_figures() -> None:
    """Without a terminal there are sentences instead of a table that changes."""
    output = io.StringIO()
    screen = Screen(Console(file=output, width=400))
    screen.begin([Place("listener", "http://127.0.0.1:8080/usps/tracking")])
    screen.show(READING)
    screen.end()
    told = output.getvalue()
    for part in ("listener: http", "accepted 41", "packages 3", "acme-orders 40", "p99 34 ms"):
        assert part in told
    assert "terms_not_accepted 7" in told


def test_tables_hold_the_figures() -> None:
    """In a terminal everything stands in tables."""
    output = io.StringIO()
    screen = Screen(Console(file=output, width=120, force_terminal=True))
    screen.begin([Place("listener", "http://127.0.0.1:8080/usps/tracking")])
    screen.show(READING)
    screen.end()
    told = output.getvalue()
    for part in ("accepted", "acme-orders", "1 dead_lettered", "terms_not_accepted"):
        assert part in told
