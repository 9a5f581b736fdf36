"""What a log line never holds."""

import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from schemas.logs import configure_logging

SECRET = "recipient of the parcel"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the process's: put back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    libraries = {name: logging.getLogger(name).level for name in ("aiokafka", "uvicorn.error")}
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    for name, former in libraries.items():
        logging.getLogger(name).setLevel(former)


def fail(body: str) -> None:
    """Fails with a body at hand."""
    raise ValueError(str(len(body)))


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_values(
    style: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it failed is told, what the variables held is not."""
    configure_logging("info", style)
    try:
        fail(SECRET)
    except ValueError:
        structlog.get_logger().exception("record_failed")
        logging.getLogger("library").exception("failed")
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert SECRET not in told
