"""An application at USPS, ready to be used: where its APIs are, and its credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import SecretStr

from schemas.registry.entities import UspsAccount
from schemas.secrets import Secrets

Api = Literal["subscriptions", "tracking"]
# USPS's OpenAPI documents: Subscriptions - Tracking 3.2.2, Tracking 3.2.2, OAuth 3.0.6.
_HOSTS: Final = {"production": "https://apis.usps.com", "tem": "https://apis-tem.usps.com"}
_PATHS: Final[Mapping[Api, str]] = {
    "subscriptions": "/subscriptions-tracking/v3r2",
    "tracking": "/tracking/v3r2",
}
_TOKEN_PATH: Final = "/oauth2/v3/token"  # noqa: S105 -- a path, no secret
# The scope that each API asks of a token.
SCOPES: Final[Mapping[Api, str]] = {
    "subscriptions": "subscriptions-tracking",
    "tracking": "tracking",
}


@dataclass(frozen=True, slots=True)
class Account:
    """`client_id` is no secret to USPS, but says who we are: it is kept out of texts too."""

    id: str
    base_url: str
    client_id: SecretStr
    client_secret: SecretStr

    @classmethod
    def of(cls, declared: UspsAccount, secrets: Secrets) -> Self:
        """With its credentials resolved. Raises `SecretUnavailable`."""
        base_url = declared.base_url or _HOSTS[declared.environment]
        return cls(
            declared.id,
            base_url.rstrip("/"),
            secrets.resolve(declared.client_id),
            secrets.resolve(declared.client_secret),
        )

    def url(self, api: Api, path: str) -> str:
        """Of an operation, e.g. `tracking` and `/tracking`."""
        return f"{self.base_url}{_PATHS[api]}{path}"

    @property
    def token_url(self) -> str:
        """Of the token endpoint."""
        return f"{self.base_url}{_TOKEN_PATH}"
