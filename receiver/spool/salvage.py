"""A damaged spool file: set aside under another name, and what can be read of it is read."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from receiver.spool.rows import Row
from receiver.spool.store import FILE_NAME, SpoolStore

log = structlog.get_logger(__name__)
DAMAGED: Final = ".damaged-"
_CHUNK_ROWS: Final = 200
# A damaged number may be any; more rows than this no spool has.
_MAX_GAP: Final = 5_000_000
_ALL: Final = "SELECT * FROM record NOT INDEXED"
# Write-ahead log and its index belong to the file and are found by its name.
_COMPANIONS: Final = ("", "-wal", "-shm")


def is_damage(error: BaseException) -> bool:
    """Whether the file is to blame, and not the disk around it."""
    if isinstance(error, sqlite3.OperationalError):
        # Full, read-only, busy and the like have codes of their own; text that is none has no code.
        return getattr(error, "sqlite_errorname", "SQLITE_ERROR") == "SQLITE_ERROR"
    return isinstance(error, sqlite3.DatabaseError)


def set_aside_files(directory: Path) -> Sequence[Path]:
    """Damaged files that wait for a person."""
    return sorted(
        path
        for path in directory.glob(f"**/{FILE_NAME}{DAMAGED}*")
        if not path.name.endswith(_COMPANIONS[1:])
    )


def replace_damaged(directory: Path, now: datetime, old: SpoolStore | None = None) -> SpoolStore:
    """A new store with what could be read of the old one, whose file stays under another name.

    `old` is given when its file was taken away under it: then it alone has the records; it is
    closed. Raises `sqlite3.Error` or `OSError` where the new one cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = _set_aside(directory / FILE_NAME, now)
    store = SpoolStore(directory)
    saved = 0
    if old is not None:
        saved = copy_rows(old.connection, store)
        old.close()
    elif aside.exists():
        with closing(_open_damaged(aside)) as connection:
            saved = copy_rows(connection, store)
    store.recount()
    log.error("spool_set_aside", file=str(aside), records_saved=saved)
    return store


def _open_damaged(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    # Without it SQLite reads nothing at all of a file that was cut off.
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA writable_schema = ON")
    return connection


def _set_aside(file: Path, now: datetime) -> Path:
    aside = file.with_name(f"{FILE_NAME}{DAMAGED}{now:%Y%m%dT%H%M%S.%fZ}")
    for companion in _COMPANIONS:
        path = file.with_name(f"{file.name}{companion}")
        if path.exists():
            path.rename(aside.with_name(f"{aside.name}{companion}"))
    return aside


def copy_rows(source: sqlite3.Connection, store: SpoolStore) -> int:
    """Copies every row that can be read, with its sequence number. Returns how many."""
    copied = 0
    chunk: list[Row] = []
    for row in _readable(source):
        if not row.intact:
            continue
        chunk.append(row)
        if len(chunk) == _CHUNK_ROWS:
            store.restore(chunk)
            copied, chunk = copied + len(chunk), []
    store.restore(chunk)
    return copied + len(chunk)


def _readable(source: sqlite3.Connection) -> Iterator[Row]:
    """From both ends up to the damage, if there is any, and then what lies between, one by one.

    In the table's own order: the index may be what is damaged.
    """
    first = last = 0
    for row in _until_damage(source, f"{_ALL} ORDER BY seq"):
        first = row.seq
        yield row
    for row in _until_damage(source, f"{_ALL} WHERE seq > {first} ORDER BY seq DESC"):
        last = row.seq
        yield row
    for seq in range(first + 1, min(last, first + _MAX_GAP)):
        yield from _until_damage(source, f"{_ALL} WHERE seq = {seq}")


def _until_damage(source: sqlite3.Connection, query: str) -> Iterator[Row]:
    with suppress(sqlite3.Error):
        yield from map(Row._make, source.execute(query))
