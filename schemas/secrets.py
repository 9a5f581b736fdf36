"""References to secrets (`env:NAME`, `file:PATH`) and their values, kept out of every text."""

from collections.abc import Callable, Mapping

from pydantic import SecretStr

from schemas.errors import ScanwireError


class SecretUnavailable(ScanwireError):
    """A reference that leads nowhere; `detail` names the reference, which is no secret."""


class Secrets:
    """Resolves references. `env:` holds until restart; `file:` follows the file.

    `read_file` returns a file's text and raises `OSError`: this package opens none itself.
    """

    def __init__(self, environ: Mapping[str, str], read_file: Callable[[str], str]) -> None:
        self._environ = environ
        self._read_file = read_file
        self._files: dict[str, SecretStr] = {}

    def resolve(self, reference: str) -> SecretStr:
        """The secret, white space around a file's text stripped. Raises `SecretUnavailable`."""
        kind, _, name = reference.partition(":")
        if kind == "env":
            return self._from_environ(name)
        if name not in self._files:
            self._files[name] = self._from_file(name)
        return self._files[name]

    def refresh(self) -> bool:
        """Reads every file again; True if one changed. A file that is gone keeps its value."""
        changed = False
        for name, known in list(self._files.items()):
            try:
                current = self._from_file(name)
            except SecretUnavailable:
                continue
            if current.get_secret_value() != known.get_secret_value():
                self._files[name] = current
                changed = True
        return changed

    def _from_environ(self, name: str) -> SecretStr:
        value = self._environ.get(name, "")
        if not value:
            raise SecretUnavailable(
                "secret_unavailable", f"env:{name}: the environment variable {name} is not set"
            )
        return SecretStr(value)

    def _from_file(self, name: str) -> SecretStr:
        try:
            value = self._read_file(name).strip()
        except (OSError, ValueError) as error:
            raise SecretUnavailable(
                "secret_unavailable", f"file:{name}: cannot be read ({type(error).__name__})"
            ) from None
        if not value:
            raise SecretUnavailable("secret_unavailable", f"file:{name}: the file is empty")
        return SecretStr(value)
