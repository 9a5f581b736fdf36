"""What a back-fill has to do and has done, on disk: it goes on where it was killed.

One SQLite file per job. Numbers are written down first, all of them; then each gets its state,
after its records are durable in Kafka. So a job that is killed asks at most one batch again,
which gives the same update ids.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from schemas.errors import OperatorError
from schemas.settings import PREFIX

OPEN: Final = "open"
_PLANNED: Final = "planned"
_WRITE_ROWS: Final = 1_000
# Once a thousand rows are written, not on every one: what is lost with the machine's power is
# asked again.
_SCHEMA: Final = """
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS numbers (
    position INTEGER PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    mid TEXT,
    state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_state ON numbers (state, position);
"""


@dataclass(frozen=True, slots=True)
class WantedNumber:
    """A number to be asked for. `mid`: whose it is by evidence of ours, where there is some."""

    tracking_number: str
    mid: str | None = None


class Journal:
    """The state of each number of one job: `open`, or what became of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_SCHEMA)

    @classmethod
    def unnamed(cls) -> Self:
        """One that is gone when it is closed, for a dry run; SQLite keeps it on disk if large."""
        return cls(sqlite3.connect(""))

    @property
    def planned(self) -> bool:
        """Whether all numbers are written down."""
        found = self._connection.execute("SELECT 1 FROM facts WHERE name = ?", (_PLANNED,))
        return found.fetchone() is not None

    @contextmanager
    def planning(self) -> Iterator["Plan"]:
        """To write all numbers down; an unfinished plan is begun anew."""
        self._connection.execute("DELETE FROM numbers")
        self._connection.execute("DELETE FROM facts")
        plan = Plan(self._connection)
        yield plan
        plan.flush()
        self._connection.execute("INSERT INTO facts VALUES (?, '')", (_PLANNED,))
        self._connection.commit()

    def open_numbers(self, count: int) -> Sequence[WantedNumber]:
        """The next that wait, at most so many."""
        rows = self._connection.execute(
            "SELECT number, mid FROM numbers WHERE state = ? ORDER BY position LIMIT ?",
            (OPEN, count),
        )
        return [WantedNumber(number, mid) for number, mid in rows]

    def settle(self, states: Mapping[str, str]) -> None:
        """What became of these numbers."""
        self._connection.executemany(
            "UPDATE numbers SET state = ? WHERE number = ?",
            [(state, number) for number, state in states.items()],
        )
        self._connection.commit()

    def open_again(self, states: Iterable[str]) -> int:
        """Those in one of these states wait again. Returns how many."""
        changed = 0
        for state in states:
            found = self._connection.execute(
                "UPDATE numbers SET state = ? WHERE state = ?", (OPEN, state)
            )
            changed += found.rowcount
        self._connection.commit()
        return changed

    def counts(self) -> dict[str, int]:
        """How many numbers are in each state."""
        return dict(self._connection.execute("SELECT state, count(*) FROM numbers GROUP BY state"))

    def close(self) -> None:
        """Ends it; what is on disk stays."""
        self._connection.close()


class Plan:
    """Takes down the numbers of a job, each once, however often it is named."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[str, str | None, str]] = []

    def add(self, wanted: WantedNumber, state: str = OPEN) -> None:
        """One more; of a repeat the first place counts, and the last state."""
        self._rows.append((wanted.tracking_number, wanted.mid, state))
        if len(self._rows) >= _WRITE_ROWS:
            self.flush()

    def drop(self, tracking_number: str) -> None:
        """Not wanted after all."""
        self.flush()
        self._connection.execute("DELETE FROM numbers WHERE number = ?", (tracking_number,))

    def flush(self) -> None:
        """Writes what is held back."""
        self._connection.executemany(
            "INSERT INTO numbers (number, mid, state) VALUES (?, ?, ?) "
            "ON CONFLICT (number) DO UPDATE SET mid = excluded.mid, state = excluded.state",
            self._rows,
        )
        self._rows.clear()


@contextmanager
def open_journal(directory: Path, job: str) -> Iterator[Journal]:
    """The journal of a job, made if it is new; held against a second process.

    Raises `OperatorError`: another process runs the job, or the directory is of no use.
    """
    file = directory / f"backfill-{job}.sqlite"
    with _held(file) as connection:
        try:
            yield Journal(connection)
        except sqlite3.Error as error:
            raise _unusable(file, str(error)) from None
        finally:
            connection.close()


@contextmanager
def _held(file: Path) -> Iterator[sqlite3.Connection]:
    """The file, and its lock, which the kernel frees however the process ends."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_suffix(".lock").open("ab")
    except OSError as error:
        raise _unusable(file, error.strerror) from None
    with lock:
        _hold(lock.fileno())
        try:
            connection = sqlite3.connect(file)
        except sqlite3.Error as error:
            raise _unusable(file, str(error)) from None
        yield connection


def _unusable(file: Path, why: str | None) -> OperatorError:
    return OperatorError(
        "journal_unusable",
        f"{file}: cannot keep the job's journal ({why}); make room, correct "
        f"{PREFIX}STATE_DIRECTORY, or delete the file to begin anew",
    )


def forget_journal(directory: Path, job: str) -> None:
    """The job is done: the same command begins anew."""
    (directory / f"backfill-{job}.sqlite").unlink(missing_ok=True)


def _hold(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OperatorError(
            "backfill_running", "this very back-fill runs already; let it end, or end it first"
        ) from None
