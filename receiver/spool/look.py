"""A look at spools from outside, which disturbs no receiver: for `check`."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from receiver.spool.store import FILE_NAME

_BUSY_SECONDS: Final = 2.0
# The sums come from the index, which is small.
_DEPTH: Final = "SELECT count(*), coalesce(sum(size), 0) FROM record INDEXED BY by_lane"
_PARKED: Final = "SELECT count(*) FROM record INDEXED BY by_lane WHERE partition < 0"
_OLDEST: Final = "SELECT at FROM record ORDER BY seq LIMIT 1"


@dataclass(frozen=True, slots=True)
class SpoolFound:
    """What one worker's spool holds. `trouble`: why it cannot be read, if so.

    `oldest_at`: seconds of the epoch. `parked`: records that nobody takes.
    """

    path: Path
    records: int = 0
    bytes: int = 0
    oldest_at: float | None = None
    parked: int = 0
    trouble: str = ""


def look(root: Path) -> Sequence[SpoolFound]:
    """Every spool under the spool's directory."""
    return [_look_into(path) for path in sorted(root.glob(f"worker-*/{FILE_NAME}"))]


def _look_into(path: Path) -> SpoolFound:
    try:
        with closing(_open(path)) as connection:
            records, size = connection.execute(_DEPTH).fetchone()
            [parked] = connection.execute(_PARKED).fetchone()
            oldest = connection.execute(_OLDEST).fetchone()
    except sqlite3.OperationalError as error:
        return SpoolFound(path, trouble=f"it cannot be read now ({error})")
    except sqlite3.DatabaseError as error:
        return SpoolFound(path, trouble=f"it is damaged ({error})")
    return SpoolFound(path, records, size, oldest[0] if oldest else None, parked)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", _BUSY_SECONDS, uri=True)
