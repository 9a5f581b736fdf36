"""The pinned jars and their verification."""

import hashlib
import re
from pathlib import Path

import pytest

from deploy.broker.errors import BrokerError
from deploy.broker.jars import KAFKA_VERSION, Jar, pinned_jars, verify


def test_listing_pins_every_jar_once_with_its_hash() -> None:
    """Each line is a coordinate and a SHA-256, and no two lines write the same file."""
    jars = pinned_jars()
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)


def test_every_kafka_jar_has_the_same_version() -> None:
    """A resolver once mixed an older client in: all of Kafka's own jars are of one version."""
    versions = {jar.version for jar in pinned_jars() if jar.group == "org.apache.kafka"}
    assert versions == {KAFKA_VERSION}


def test_pinned_bytes_are_accepted(tmp_path: Path) -> None:
    """A file with the pinned hash passes."""
    path = tmp_path / "a.jar"
    path.write_bytes(b"as pinned")
    verify(Jar("g", "a", "1", hashlib.sha256(b"as pinned").hexdigest()), path)


def test_changed_jar_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """One other byte refuses the file, names it and says to delete it."""
    path = tmp_path / "a.jar"
    path.write_bytes(b"as pinned!")
    jar = Jar("g", "a", "1", hashlib.sha256(b"as pinned").hexdigest())
    with pytest.raises(BrokerError, match=r"a\.jar is not the g:a:1 .* Delete the file"):
        verify(jar, path)
