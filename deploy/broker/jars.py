"""The pinned jars of Apache Kafka, and the check that a file is one of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.broker.errors import BrokerError

KAFKA_VERSION: Final = "4.3.0"
LISTING: Final = Path(__file__).with_name("kafka-jars.txt")


@dataclass(frozen=True, slots=True)
class Jar:
    """One Maven artifact and the SHA-256 its file must have (64 hex digits)."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """The name Maven knows it by."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """The name of its file, as Maven Central has it."""
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars(listing: Path = LISTING) -> tuple[Jar, ...]:
    """The jars of a listing, in its order, which is the order of the class path."""
    lines = listing.read_text(encoding="utf-8").splitlines()
    return tuple(_jar(line) for line in lines if line and not line.startswith("#"))


def _jar(line: str) -> Jar:
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256)


def verify(jar: Jar, path: Path) -> None:
    """Raises BrokerError unless the file is the pinned one, to the byte."""
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != jar.sha256:
        raise BrokerError(
            f"{path} is not the {jar.coordinate} that {LISTING.name} pins (SHA-256 {found}, "
            f"pinned {jar.sha256}). Delete the file and try again; if a fresh one differs too, "
            "something between here and Maven Central changes files: do not use it."
        )
