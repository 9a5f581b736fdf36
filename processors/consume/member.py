"""A stable name in the consumer group, so that a restart does not stop the whole group.

A process that is killed and started again takes its partitions back at once, where a new
member would have to wait until the broker misses the old one.
"""

import fcntl
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from schemas.errors import OperatorError

# Processes that may share one state directory; each has a number of its own.
MAX_PROCESSES: Final = 64
# Kafka allows 249 characters in a group instance id.
_HOST_CHARACTERS: Final = 100


@contextmanager
def claimed_member(directory: Path) -> Iterator[str]:
    """A `group_instance_id` that no other live process has, the same after a restart.

    It rests on a random id kept in the directory, not on the host's name alone: containers
    may share a name, and two members of one name would throw each other out for ever.

    Raises:
        OperatorError: the directory cannot be written, or too many processes share it.
    """
    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            text = _claim(directory, stack)
        except OSError as error:
            raise OperatorError(
                "state_directory_unusable", f"cannot write {directory}: {error.strerror}"
            ) from None
        host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:_HOST_CHARACTERS]
        yield f"{host}-{text}"


def _claim(directory: Path, stack: ExitStack) -> str:
    for number in range(MAX_PROCESSES):
        file = stack.enter_context((directory / f"member-{number}").open("a+"))
        try:
            # Freed by the kernel when the process ends, however it ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return _read_or_make(file)
    raise OperatorError(
        "state_directory_crowded",
        f"{MAX_PROCESSES} processes use {directory} already; set SCANWIRE_STATE_DIRECTORY",
    )


def _read_or_make(file: IO[str]) -> str:
    file.seek(0)
    text = file.read().strip()
    if re.fullmatch(r"[0-9a-f]{16}", text):
        return text
    text = uuid4().hex[:16]
    file.truncate(0)
    file.write(text)
    file.flush()
    return text
