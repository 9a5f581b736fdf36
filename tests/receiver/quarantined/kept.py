"""Quarantine records as a receiver wrote them, and as the tool reads them back."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import orjson

from receiver.quarantined.kept import Kept
from tests.receiver.asgi import request
from tests.receiver.world import World, running

Request = tuple[bytes, list[tuple[bytes, bytes]]]


def read_back(values: Sequence[dict[str, Any]], partition: int = 0) -> list[Kept]:
    """The records of one partition, from its beginning."""
    found = []
    for offset, value in enumerate(values):
        record: Any = SimpleNamespace(
            partition=partition, offset=offset, value=orjson.dumps(value), key=None
        )
        kept = Kept.of(record)
        assert kept is not None
        found.append(kept)
    return found


async def set_aside(*requests: Request, **settings: str) -> tuple[World, list[Kept]]:
    """What a receiver with one subscription sets aside of these requests."""
    async with running(World(**settings)) as world:
        for body, headers in requests:
            assert await request(world.app, headers=headers, pieces=[body])
        return world, read_back(world.kafka.values(world.quarantine))
