"""Room that is kept free on the spool's disk: to delete from a database takes room too.

Without it a disk that the spool has filled could not be emptied again by draining it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 4 * 1024 * 1024
FILE_NAME: Final = "reserve"


class Reserve:
    """A file of nothing, given up when the disk is full and taken again when it is not."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    def take(self) -> None:
        """If it is not there and the disk has twice its size."""
        with suppress(OSError):
            if not self._path.exists() and self._free_bytes() > 2 * RESERVE_BYTES:
                descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
                try:
                    os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
                finally:
                    os.close(descriptor)

    def give_up(self) -> bool:
        """True if there is more room now."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def _free_bytes(self) -> int:
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize
