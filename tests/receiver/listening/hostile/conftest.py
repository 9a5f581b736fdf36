"""Fixtures of tests that meet hostile clients."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest
import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The receiver's own loop: how connections end is the loop's business too."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def no_traceback(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Fails if a library warned, or anything was logged with a traceback."""
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "Traceback" not in "".join(capfd.readouterr())
