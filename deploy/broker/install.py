"""Installs the pinned jars: complete, verified, once per directory, shared by everyone."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from deploy.broker.disk import writing_to
from deploy.broker.errors import BrokerError
from deploy.broker.jars import KAFKA_VERSION, Jar, pinned_jars, verify
from deploy.broker.java import Java, bundled_java
from deploy.broker.locks import locked
from deploy.broker.say import Say, silent

REPOSITORY_ROOT: Final = Path(__file__).parents[2]
SHARED_DIRECTORY: Final = REPOSITORY_ROOT / ".scanwire" / f"kafka-{KAFKA_VERSION}"
_AT_ONCE: Final = 6  # jars in flight; more gains nothing and Maven Central throttles

Fetch = Callable[[Jar], Path]


def install(directory: Path = SHARED_DIRECTORY, say: Say = silent) -> Java:
    """A Java that can run Kafka, from the directory; fetches what is missing there.

    A complete directory costs 0.1 s (every jar is verified each time).

    Raises:
        BrokerError: no network, no space, a changed jar, no Java runtime.
    """
    executable, version = bundled_java()
    jars = pinned_jars()
    if _missing(jars, directory):
        # jgo takes 0.2 s to import, and is needed once per machine.
        from deploy.broker.fetch import MavenFetch  # noqa: PLC0415

        install_jars(jars, directory, MavenFetch, say)
    for jar in jars:
        verify(jar, directory / jar.file_name)
    java = Java(executable, version, tuple(directory / jar.file_name for jar in jars), directory)
    java.share_base_classes()
    return java


def install_jars(
    jars: Sequence[Jar], directory: Path, fetch_into: Callable[[Path], Fetch], say: Say
) -> None:
    """Fetches the jars that the directory lacks; one process at a time, the others wait.

    A jar appears in the directory by a rename, after it was verified: whoever is killed in the
    middle leaves whole jars, and the next one goes on from there.
    """
    with writing_to(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory / ".lock", say, f"Apache Kafka {KAFKA_VERSION} to be installed"):
            missing = _missing(jars, directory)
            if missing:
                say(f"Fetching Apache Kafka {KAFKA_VERSION}: {len(missing)} jars, once.")
                with _staging(directory) as staging:
                    _fetch_all(missing, directory, fetch_into(staging))


def _missing(jars: Sequence[Jar], directory: Path) -> list[Jar]:
    return [jar for jar in jars if not (directory / jar.file_name).exists()]


@contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """An empty directory on the same file system; only the holder of the lock has one."""
    staging = directory / ".incoming"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_all(jars: Sequence[Jar], directory: Path, fetch: Fetch) -> None:
    console = Console(file=sys.stderr)
    with (
        ThreadPoolExecutor(_AT_ONCE) as pool,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        bar = progress.add_task("Apache Kafka", total=len(jars))
        try:
            for done in as_completed([pool.submit(_fetch_one, j, directory, fetch) for j in jars]):
                done.result()
                progress.advance(bar)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(jar: Jar, directory: Path, fetch: Fetch) -> None:
    fetched = fetch(jar)
    try:
        verify(jar, fetched)
    except BrokerError:
        fetched.unlink(missing_ok=True)
        raise
    fetched.replace(directory / jar.file_name)
