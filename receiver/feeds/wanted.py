"""The numbers that an operator names, on the command line or in a file."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from receiver.feeds.journal import WantedNumber
from receiver.feeds.rights import Planner
from schemas.errors import OperatorError
from schemas.identifiers import is_tracking_number, normalize_tracking_number

_CHUNK_BYTES: Final = 1024 * 1024
# No line that holds a number is longer; of a longer one the rest counts as lines of their own.
_LINE_CHARACTERS: Final = 4096
_SHOWN_CHARACTERS: Final = 64


def job_key(*parts: str) -> str:
    """The name of a job: equal for the same account and the same wish."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def file_digest(file: Path) -> str:
    """Of what is in a file; a changed file is another job. Raises `OperatorError`."""
    digest = blake2b(digest_size=16)
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise _unreadable(file, error) from None
    return digest.hexdigest()


def numbers_in(file: Path) -> Iterator[str]:
    """The first column of each line, read as it goes; blank lines and `#` lines are left out.

    Raises `OperatorError`.
    """
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as opened:
            while line := opened.readline(_LINE_CHARACTERS):
                first = line.split(",", 1)[0].strip().strip('"').strip()
                if first and not first.startswith("#"):
                    yield first
    except OSError as error:
        raise _unreadable(file, error) from None


def plan_numbers(planner: Planner, numbers: Iterable[str]) -> None:
    """Takes each down in key form; what is no tracking number, as such."""
    for text in numbers:
        if is_tracking_number(text):
            planner.want(WantedNumber(normalize_tracking_number(text).value))
        else:
            planner.invalid(text[:_SHOWN_CHARACTERS])


def _unreadable(file: Path, error: OSError) -> OperatorError:
    return OperatorError("file_unreadable", f"{file} cannot be read ({error.strerror})")
