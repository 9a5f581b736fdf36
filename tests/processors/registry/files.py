"""Writes registry files and reads them, for the tests of loading."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from processors.registry.load import Loaded, load
from schemas.errors import RegistryRefused
from schemas.secrets import Secrets
from schemas.settings import Settings

SETTINGS = Settings.from_environ({})
USPS_SECRET = "an USPS secret of 32 characters."
SIGNING_SECRET = "whsec_c2lnbmluZyBzZWNyZXQgb2YgdGVzdHM="
ENVIRON = {"USPS_SECRET": USPS_SECRET, "SIGNING": SIGNING_SECRET, "HEADER": "Bearer token"}

WELL = """\
merchants:
  - {id: acme, name: Acme Goods, role: shipper, terms_accepted_on: 2026-03-20}
  - {id: ship, name: Ship, role: platform, terms_accepted_on: 2026-03-20}
mids:
  - {mid: "912345678", owner: acme}
merchant_access_tokens:
  - {id: acme-ship, merchant: acme, platform: ship, state: active}
subscriptions:
  - {name: hook, mid: "912345678", secrets: ["env:USPS_SECRET"]}
"""


def load_texts(
    directory: Path, texts: Mapping[str, str], environ: Mapping[str, str] = ENVIRON
) -> Loaded:
    """Writes these files and loads them together."""
    paths = []
    for name, text in texts.items():
        path = directory / name
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        paths.append(path)
    secrets = Secrets(environ, lambda name: Path(name).read_text(encoding="utf-8"))
    return load(paths, secrets, SETTINGS)


def problems(directory: Path, texts: Mapping[str, str]) -> list[str]:
    """What is told of files that are refused, without their directory."""
    with pytest.raises(RegistryRefused) as refused:
        load_texts(directory, texts)
    return refused.value.detail.replace(f"{directory}/", "").split("\n")
