"""The admin port's application: liveness, readiness with reasons, metrics."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# Returns what stands in the way of work, a sentence each; empty: ready.
Readiness = Callable[[], Sequence[str]]
# Returns the metrics in Prometheus' text format.
Exposition = Callable[[], Awaitable[bytes]]


def create_admin_app(
    readiness: Readiness, metrics: CollectorRegistry, notes: Readiness = tuple
) -> Starlette:
    """`/health/live`, `/health/ready` (503 with reasons until ready) and `/metrics`.

    `notes`: what is wrong but does not stand in the way, told beside the reasons.
    """

    async def exposition() -> bytes:
        return generate_latest(metrics)

    return create_app_of(readiness, exposition, notes)


def create_app_of(
    readiness: Readiness, exposition: Exposition, notes: Readiness = tuple
) -> Starlette:
    """The same for a program that gathers its metrics elsewhere."""

    async def live(_: Request) -> Response:
        return _json({"live": True})

    async def ready(_: Request) -> Response:
        reasons = list(readiness())
        told = {"ready": not reasons, "reasons": reasons, "notes": list(notes())}
        return _json(told, 503 if reasons else 200)

    async def metrics(_: Request) -> Response:
        return Response(await exposition(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
        ]
    )


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
