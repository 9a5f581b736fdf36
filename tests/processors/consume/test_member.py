"""A process's name in its group."""

from pathlib import Path

import pytest

from processors.consume.member import MAX_PROCESSES, claimed_member
from schemas.errors import OperatorError


def test_a_restart_has_the_same_name(tmp_path: Path) -> None:
    """The name is kept in the state directory."""
    with claimed_member(tmp_path) as first:
        pass
    with claimed_member(tmp_path) as again:
        assert again == first


def test_two_live_processes_have_two_names(tmp_path: Path) -> None:
    """Members of one name would throw each other out for ever."""
    with claimed_member(tmp_path) as first, claimed_member(tmp_path) as second:
        assert first != second


def test_two_state_directories_have_two_names(tmp_path: Path) -> None:
    """The host's name alone does not make a member: containers may share one."""
    with claimed_member(tmp_path / "a") as first, claimed_member(tmp_path / "b") as second:
        assert first != second


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    """Whatever stands in the file, the name is one that Kafka takes."""
    (tmp_path / "member-0").write_text("not an id, {}\n")
    with claimed_member(tmp_path) as first:
        assert first.isascii()
        assert "{" not in first
    with claimed_member(tmp_path) as again:
        assert again == first


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """An error for the operator, which names the directory."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError) as told, claimed_member(tmp_path / "file" / "state"):
        pass
    assert str(tmp_path) in told.value.detail


def test_too_many_processes_are_told(tmp_path: Path) -> None:
    """One more than there are numbers is refused."""

    def claim(more: int) -> None:
        with claimed_member(tmp_path):
            if more:
                claim(more - 1)

    claim(MAX_PROCESSES - 1)
    with pytest.raises(OperatorError):
        claim(MAX_PROCESSES)
