"""A lock between processes that ends with its holder, however that one ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.broker.say import Say


@contextmanager
def locked(path: Path, say: Say, waiting_for: str) -> Iterator[None]:
    """Holds the lock file at path; says what is waited for when another process has it."""
    with path.open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for {waiting_for} by another process.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
