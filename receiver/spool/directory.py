"""Whose directory the spool lies in: one per process, locked, and those left by others."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import structlog

from receiver.spool.store import FILE_NAME, Changes, SpoolStore
from schemas.errors import OperatorError
from schemas.settings import PREFIX

log = structlog.get_logger(__name__)
LOCK_NAME: Final = "owner.lock"
_WORKER: Final = "worker-"
_CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SpoolDirectory:
    """Where this process's spool is. Of several workers each has its own, by its number."""

    root: Path
    worker: int = 0
    workers: int = 1

    @property
    def path(self) -> Path:
        """This worker's directory."""
        return self.root / f"{_WORKER}{self.worker}"

    def take(self) -> IO[str]:
        """Locks it; to be closed at the end. Raises `OSError`, or `OperatorError` if in use."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(self.root)
        lock = _locked(self.path)
        if lock is None:
            raise OperatorError(
                "spool_in_use",
                f"the spool in {self.path} is used by another process; end it, or give this "
                f"receiver a {PREFIX}SPOOL_DIRECTORY of its own",
            )
        return lock

    def adopt(self, store: SpoolStore) -> int:
        """Takes over what workers left that do not run any more. Returns how many records.

        The first worker does it. Copied first and deleted then: a crash between costs repeats.
        """
        if self.worker:
            return 0
        adopted = 0
        for directory in sorted(self._left_over()):
            with _held(directory) as free:
                if free:
                    adopted += _move(directory, store)
        return adopted

    def _left_over(self) -> Iterator[Path]:
        for path in self.root.glob(f"{_WORKER}*"):
            number = path.name.removeprefix(_WORKER)
            if number.isdigit() and int(number) >= self.workers and (path / FILE_NAME).exists():
                yield path


def sync_directory(directory: Path) -> None:
    """Its entries are on the disk when this returns. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _held(directory: Path) -> Iterator[bool]:
    lock = _locked(directory)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.close()


def _locked(directory: Path) -> IO[str] | None:
    """The lock's file, or None while another process holds it."""
    lock = (directory / LOCK_NAME).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _move(directory: Path, store: SpoolStore) -> int:
    """One that cannot be read stays as it is, and is told."""
    moved = 0
    try:
        source = SpoolStore(directory)
        try:
            store.keep_partitions(source.partitions | store.partitions)
            for lane in list(source.backlog):
                after = 0
                while rows := source.read(lane, after, source.top_seq, _CHUNK_BYTES):
                    after = rows[-1].seq
                    store.commit(Changes(rows))
                    source.commit(Changes(gone={lane: after}))
                    moved += len(rows)
        finally:
            source.close()
    except sqlite3.Error as error:
        log.error("spool_not_adopted", directory=str(directory), error=str(error))
    else:
        log.warning("spool_adopted", directory=str(directory), records=moved)
    return moved
