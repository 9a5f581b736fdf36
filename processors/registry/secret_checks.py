"""References to secrets, tried where the command runs.

What leads nowhere here is a warning, what leads to something unusable a problem. No text
holds a secret.
"""

from base64 import b64decode
from collections.abc import Iterator
from typing import Final

from processors.registry.entries import Declarations, Declared
from processors.registry.places import Findings, Place
from schemas.registry.destinations import HttpDestination, KafkaDestination, PostgresDestination
from schemas.registry.entities import Entity, Subscription, UspsAccount
from schemas.secrets import Secrets, SecretUnavailable

USPS_SECRET_CHARACTERS: Final = 32
_WHSEC: Final = "whsec_"


def check_secrets(declared: Declarations, secrets: Secrets, findings: Findings) -> None:
    """Resolves every reference."""
    for one in declared.entities:
        for path, reference in references(one.entity):
            place = one.place.within(*path)
            try:
                value = secrets.resolve(reference).get_secret_value()
            except SecretUnavailable as error:
                findings.warning(place, f"{one}: {error.detail}; set it where programs run")
                continue
            _check_value(one, place, path[0], value, findings)


def references(entity: Entity) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Path and reference of every secret of an entity."""
    match entity:
        case UspsAccount():
            yield ("client_id",), entity.client_id
            yield ("client_secret",), entity.client_secret
        case Subscription():
            yield from ((("secrets", at), ref) for at, ref in enumerate(entity.secrets))
        case HttpDestination():
            listed = enumerate(entity.signing_secrets)
            yield from ((("signing_secrets", at), ref) for at, ref in listed)
            yield from ((("headers", name), ref) for name, ref in entity.headers.items())
        case KafkaDestination() if entity.security.password is not None:
            yield ("security", "password"), entity.security.password
        case PostgresDestination():
            yield ("dsn",), entity.dsn


def _check_value(
    one: Declared, place: Place, key: str | int, value: str, findings: Findings
) -> None:
    if key == "secrets" and len(value) != USPS_SECRET_CHARACTERS:
        text = (
            f"{one}: the secret has {len(value)} characters; "
            f"USPS's have exactly {USPS_SECRET_CHARACTERS}, correct it"
        )
        findings.problem(place, text)
    elif key == "signing_secrets" and not _is_signing_secret(value):
        text = f"{one}: no signing secret; write {_WHSEC} and then Base64"
        findings.problem(place, text)
    elif key == "headers" and not value.isprintable():
        findings.problem(place, f"{one}: no header value; remove its line breaks")


def _is_signing_secret(value: str) -> bool:
    """As the Standard Webhooks specification 1.0.0 writes symmetric secrets."""
    if not value.startswith(_WHSEC):
        return False
    try:
        return bool(b64decode(value.removeprefix(_WHSEC), validate=True))
    except ValueError:
        return False
