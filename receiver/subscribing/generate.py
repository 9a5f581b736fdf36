"""Makes the secrets that the registry names and that do not exist yet."""

import secrets
import string
from pathlib import Path
from typing import Final

from receiver.following.subscriptions import SECRET_CHARACTERS
from receiver.whole_file import create_whole
from schemas.errors import OperatorError

_ALPHABET: Final = string.ascii_letters + string.digits
_KIND: Final = "file:"


def can_be_made(reference: str) -> bool:
    """A `file:` that is not there; one that is there is never replaced."""
    return reference.startswith(_KIND) and not Path(reference.removeprefix(_KIND)).exists()


def make_secret(reference: str) -> None:
    """A new secret at this reference, for its owner's eyes only. Raises `OperatorError`."""
    path = Path(reference.removeprefix(_KIND))
    value = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_CHARACTERS))
    try:
        create_whole(path, value.encode())
    except OSError as error:
        raise OperatorError(
            "secret_not_made",
            f"{path} cannot be written ({type(error).__name__}); correct its directory's rights",
        ) from None
