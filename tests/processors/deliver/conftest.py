"""The floor of the program's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.broker import LocalBroker
from tests.processors.deliver.floor import Floor, opened_floor


@pytest.fixture
async def floor(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Floor]:
    """Merchants that accept everything; nothing applied, nothing started."""
    async with opened_floor(broker, topic_prefix, tmp_path) as floor:
        yield floor
