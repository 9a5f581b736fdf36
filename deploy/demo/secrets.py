"""The demo's secrets: made once, kept in a file of the owner's, given to programs by environment.

`EXAMPLE_*_USPS_SECRET` are what USPS would sign with (32 characters), `EXAMPLE_*_SIGNING` what
deliveries are signed with (Standard Webhooks).
"""

import json
import os
import re
import secrets
import string
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_REFERENCE: Final = re.compile(r"\benv:([A-Za-z_][A-Za-z0-9_]*)")
_USPS_SECRET_CHARACTERS: Final = 32
_SIGNING_BYTES: Final = 32


def variables_of(registry_text: str) -> list[str]:
    """The environment variables that a registry file refers to, comments included."""
    return sorted(set(_REFERENCE.findall(registry_text)))


def ensure_secrets(path: Path, variables: Iterable[str]) -> dict[str, str]:
    """The value of each variable: what the file has, and new ones for what it lacks."""
    try:
        known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        known = {}
    missing = [name for name in variables if name not in known]
    if missing:
        known |= {name: _new_secret(name) for name in missing}
        _write(path, known)
    return {name: known[name] for name in variables}


def _new_secret(name: str) -> str:
    if name.endswith("SIGNING"):
        return f"whsec_{b64encode(secrets.token_bytes(_SIGNING_BYTES)).decode()}"
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_USPS_SECRET_CHARACTERS))


def _write(path: Path, known: dict[str, str]) -> None:
    """Readable by the owner from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    written.unlink(missing_ok=True)
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(known, file, indent=1)
    written.replace(path)
