"""What the operating system refuses, in sentences for whoever runs the broker."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.broker.errors import BrokerError

_WHAT_TO_DO: Final = {
    errno.ENOSPC: "the disk is full. Free some space (a broker wants 1 GB) and try again",
    errno.EDQUOT: "the disk quota is used up. Free some space and try again",
    errno.EROFS: "the file system is read-only. Choose another directory",
    errno.EACCES: "it may not be written to. Change its owner or choose another directory",
    errno.EPERM: "it may not be written to. Change its owner or choose another directory",
    errno.ENOTDIR: "a part of this path is a file. Choose another directory",
    errno.EEXIST: "a file of this name is in the way. Choose another directory",
}


@contextmanager
def writing_to(directory: Path) -> Iterator[None]:
    """Turns the operating system's refusals of a path into a BrokerError that says what to do."""
    try:
        yield
    except OSError as exc:
        advice = _WHAT_TO_DO.get(exc.errno or 0)
        if advice is None:
            raise
        raise BrokerError(f"{exc.filename or directory} cannot be used: {advice}.") from exc
