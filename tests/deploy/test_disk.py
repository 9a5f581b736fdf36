"""What the operating system refuses, as sentences."""

import errno
import os
from pathlib import Path

import pytest

from deploy.broker.disk import writing_to
from deploy.broker.errors import BrokerError


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EROFS, "read-only. Choose another directory"),
        (errno.EACCES, "may not be written to. Change its owner"),
    ],
)
def test_refusals_of_the_disk_say_what_to_do(number: int, advice: str) -> None:
    """No errno and no traceback: the place, what is wrong, and the way out."""
    path = Path("/data/broker")
    with pytest.raises(BrokerError, match=rf"{path} cannot be used: .*{advice}"), writing_to(path):
        raise OSError(number, os.strerror(number))


def test_other_errors_of_the_system_are_not_hidden() -> None:
    """What we have no advice for stays what it is."""
    with pytest.raises(OSError, match="Too many open files"), writing_to(Path("/data")):
        raise OSError(errno.EMFILE, "Too many open files")
