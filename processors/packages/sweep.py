"""Looks through a store in small steps for states of which something is due."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import orjson

from processors.packages.stamps import stamp_of
from processors.packages.store import StateStore
from processors.packages.trim import Due, due, trimmed

# A step touches this many states at most, so that it never holds up a batch for long.
STEP_STATES: Final = 200
# Between two steps: ten million states are gone through in about a day.
STEP_SECONDS: Final = 1.0


class Sweeper:
    """Goes round and round through one store."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._after: bytes | None = None
        self._next_step = 0.0

    def step(self, now: datetime, monotonic: float) -> Iterator[tuple[bytes, Any, Any]]:
        """(key, state before, state after) of what is due; after None: forgotten.

        A state whose time is only not known yet comes back as it is.
        """
        if monotonic < self._next_step:
            return
        self._next_step = monotonic + STEP_SECONDS
        keys, self._after = self._store.due(self._after or b"", STEP_STATES, int(now.timestamp()))
        for key in keys:
            value = self._store.get(key)
            if value is None:
                continue
            state = orjson.loads(value)
            match due(state, stamp_of(now)):
                case Due.NOTHING:
                    yield key, state, state
                case Due.TRIM:
                    yield key, state, trimmed(state)
                case Due.FORGET:
                    yield key, state, None
