"""Secrets are found by reference, and never shown."""

from collections.abc import Callable

import pytest

from schemas.secrets import Secrets, SecretUnavailable


def reading(files: dict[str, str]) -> Callable[[str], str]:
    """A file system of a few texts."""

    def read(path: str) -> str:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    return read


def test_environment_and_file_are_resolved() -> None:
    """Both kinds of reference lead to the value; a file's surrounding white space is stripped."""
    secrets = Secrets({"NAME": "from-env"}, reading({"/etc/s": " from-file\n"}))
    assert secrets.resolve("env:NAME").get_secret_value() == "from-env"
    assert secrets.resolve("file:/etc/s").get_secret_value() == "from-file"


@pytest.mark.parametrize("reference", ["env:MISSING", "env:EMPTY", "file:/none", "file:/blank"])
def test_a_reference_that_leads_nowhere_says_so(reference: str) -> None:
    """Missing and empty secrets are refused, naming the reference."""
    secrets = Secrets({"EMPTY": ""}, reading({"/blank": " \n"}))
    with pytest.raises(SecretUnavailable) as refused:
        secrets.resolve(reference)
    assert refused.value.detail.startswith(reference)


def test_a_changed_file_is_read_again() -> None:
    """A rotated file takes effect at the next refresh, and a vanished one keeps its value."""
    files = {"/s": "old"}
    secrets = Secrets({}, reading(files))
    secrets.resolve("file:/s")
    assert not secrets.refresh()
    files["/s"] = "new"
    assert secrets.refresh()
    del files["/s"]
    assert not secrets.refresh()
    assert secrets.resolve("file:/s").get_secret_value() == "new"


def test_a_secret_does_not_show_itself() -> None:
    """Printing a secret prints stars."""
    secrets = Secrets({"NAME": "from-env"}, reading({}))
    assert "from-env" not in repr(secrets.resolve("env:NAME"))
