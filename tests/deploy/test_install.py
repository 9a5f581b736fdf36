"""Installing pinned jars, with a fetch that takes them from memory."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.broker.errors import BrokerError
from deploy.broker.install import install_jars
from deploy.broker.jars import Jar
from deploy.broker.say import silent

CONTENTS = {name: f"content of {name}".encode() for name in ("one", "two", "three")}
JARS = tuple(
    Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
)


class FakeMaven:
    """Gives what it was told to have, writes down who asked, and may be out of reach."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def fetch_into(self, directory: Path) -> Callable[[Jar], Path]:
        """The fetch for one installation."""

        def fetch(jar: Jar) -> Path:
            self.asked.append(jar.artifact)
            if jar.artifact not in self.contents:
                raise BrokerError("out of reach")
            path = directory / jar.file_name
            path.write_bytes(self.contents[jar.artifact])
            return path

        return fetch


def _installed(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("*.jar")}


def test_jars_arrive_under_their_names(tmp_path: Path) -> None:
    """An empty directory has every pinned jar afterwards, and nothing of the fetching."""
    install_jars(JARS, tmp_path / "jars", FakeMaven(CONTENTS).fetch_into, silent)
    names = {path.name for path in (tmp_path / "jars").iterdir()}
    assert names == {"one-1.0.jar", "two-1.0.jar", "three-1.0.jar", ".lock"}


def test_complete_directory_fetches_nothing(tmp_path: Path) -> None:
    """The second installation asks nobody."""
    maven = FakeMaven(CONTENTS)
    install_jars(JARS, tmp_path, maven.fetch_into, silent)
    install_jars(JARS, tmp_path, maven.fetch_into, silent)
    assert sorted(maven.asked) == ["one", "three", "two"]


def test_other_bytes_than_pinned_are_not_installed(tmp_path: Path) -> None:
    """A jar that comes with another hash is refused and never appears in the directory."""
    maven = FakeMaven({**CONTENTS, "two": b"something else"})
    with pytest.raises(BrokerError, match=r"is not the org\.example:two"):
        install_jars(JARS, tmp_path, maven.fetch_into, silent)
    assert "two-1.0.jar" not in _installed(tmp_path)


def test_interrupted_installation_goes_on_where_it_was(tmp_path: Path) -> None:
    """What arrived before the network failed is not fetched again."""
    with pytest.raises(BrokerError, match="out of reach"):
        install_jars(JARS[:2], tmp_path, FakeMaven({"one": CONTENTS["one"]}).fetch_into, silent)
    later = FakeMaven(CONTENTS)
    install_jars(JARS, tmp_path, later.fetch_into, silent)
    assert _installed(tmp_path) == {"one-1.0.jar", "two-1.0.jar", "three-1.0.jar"}
    assert sorted(later.asked) == ["three", "two"]


def test_leftovers_of_a_killed_installation_do_no_harm(tmp_path: Path) -> None:
    """Half a jar in the place where jars arrive is thrown away, not taken for the jar."""
    (tmp_path / ".incoming").mkdir()
    (tmp_path / ".incoming" / "one-1.0.jar").write_bytes(b"conte")
    install_jars(JARS, tmp_path, FakeMaven(CONTENTS).fetch_into, silent)
    assert (tmp_path / "one-1.0.jar").read_bytes() == CONTENTS["one"]


def test_two_installations_at_once_fetch_each_jar_once(tmp_path: Path) -> None:
    """The second waits for the first, says so, and finds everything there."""
    maven = FakeMaven(CONTENTS)
    first_is_fetching, second_waits = threading.Event(), threading.Event()
    said: list[str] = []

    def slow_fetch_into(directory: Path) -> Callable[[Jar], Path]:
        first_is_fetching.set()
        assert second_waits.wait(timeout=10)
        return maven.fetch_into(directory)

    def say(sentence: str) -> None:
        said.append(sentence)
        second_waits.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(install_jars, JARS, tmp_path, slow_fetch_into, silent)
        assert first_is_fetching.wait(timeout=10)
        second = pool.submit(install_jars, JARS, tmp_path, maven.fetch_into, say)
        first.result(timeout=10)
        second.result(timeout=10)
    assert sorted(maven.asked) == ["one", "three", "two"]
    assert said == ["Waiting for Apache Kafka 4.3.0 to be installed by another process."]


def test_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """A file where the directory should be is refused with what to do."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(BrokerError, match=r"cannot be used: .* Choose another directory"):
        install_jars(JARS, tmp_path / "file" / "jars", FakeMaven(CONTENTS).fetch_into, silent)
