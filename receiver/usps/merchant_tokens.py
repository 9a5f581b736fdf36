"""Merchants' tokens of a platform: authorized once, then refreshed well within their 7 days.

A refresh token stands in a file that only its owner reads (`refresh_token: file:PATH` of a
`merchant_access_tokens` entry); USPS may answer each refresh with a new one. What is seen of a
token goes to `usps.observed.v1`, where the rights of its platform hang on it.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final, Protocol

from receiver.usps.errors import UspsRefused
from receiver.usps.oauth import TokenEndpoint, Tokens
from receiver.whole_file import write_whole
from schemas.clock import Clock, parse_rfc3339, rfc3339
from schemas.errors import OperatorError
from schemas.registry.entities import MerchantAccessToken, TokenState
from schemas.registry.observed import ObservedToken
from schemas.settings import PREFIX

# USPS's OAuth document: refresh tokens are valid for seven days.
LIFE_SECONDS: Final = 604_799.0
# More than any token of USPS's.
_ROOM_BYTES: Final = 16_384
REFRESH_EVERY: Final = timedelta(days=1)
ALARM_BEFORE: Final = timedelta(hours=48)
_DEAD: Final = frozenset({TokenState.REVOKED, TokenState.EXPIRED})


class ObservesTokens(Protocol):
    """Where it is told what was seen."""

    async def observe(self, token_id: str, seen: ObservedToken) -> None:
        """Returns when it is durable. Raises `OperatorError`: the broker does not take it."""


def refresh_file(token: MerchantAccessToken) -> Path | None:
    """Where the refresh token stands; None: it is not kept by us, or not to be used."""
    if token.refresh_token is None or token.account is None or token.state is TokenState.REVOKED:
        return None
    return Path(token.refresh_token.removeprefix("file:"))


def is_dead(seen: ObservedToken | None) -> bool:
    """Whether USPS takes it no more, until the merchant authorizes again."""
    return seen is not None and seen.state in _DEAD


def is_due(seen: ObservedToken | None, now: datetime) -> bool:
    """Whether it is to be refreshed: daily, and when nothing is known of it."""
    if seen is None:
        return True
    return not is_dead(seen) and now - parse_rfc3339(seen.observed_at) >= REFRESH_EVERY


def seconds_left(seen: ObservedToken | None, now: datetime) -> float | None:
    """Until its refresh token ends, as last seen; None: unknown."""
    if seen is None or seen.expires_at is None:
        return None
    return (parse_rfc3339(seen.expires_at) - now).total_seconds()


class MerchantTokens:
    """Authorizes and refreshes, one process at a time for each token."""

    def __init__(self, observed: ObservesTokens, clock: Clock, directory: Path) -> None:
        self._observed = observed
        self._clock = clock
        self._directory = directory

    async def authorize(
        self, token: MerchantAccessToken, endpoint: TokenEndpoint, code: str, redirect_uri: str
    ) -> ObservedToken:
        """Exchanges the code that USPS sent the merchant back with.

        Raises `UspsRefused`, or `OperatorError`: nowhere to keep it; then the code is unused.
        """
        file = _file_of(token)
        with self._held(token.id):
            _rehearse(file)
            fields = {"code": code, "redirect_uri": redirect_uri}
            tokens = await endpoint.grant("authorization_code", **fields)
            if tokens.refresh_token is None:
                raise OperatorError(
                    "no_refresh_token",
                    f"USPS gave no refresh token for {token.id}: the app is not set up for "
                    "authorization codes; ask USPS's API support",
                )
            return await self._keep(token, file, tokens)

    async def refresh(
        self, token: MerchantAccessToken, endpoint: TokenEndpoint, seen: ObservedToken | None
    ) -> ObservedToken:
        """Gets the next one. 1. It can be kept. 2. USPS is asked. 3. It is kept. 4. It is told.

        Raises `UspsRefused` (after `invalid_grant` was told), or `OperatorError`.
        """
        file = _file_of(token)
        with self._held(token.id):
            current = _read(token, file)
            _rehearse(file)
            try:
                tokens = await endpoint.grant("refresh_token", refresh_token=current)
            except UspsRefused as error:
                if error.reason == "invalid_grant":
                    await self._observed.observe(token.id, self._dead(seen))
                raise
            return await self._keep(token, file, tokens)

    async def _keep(self, token: MerchantAccessToken, file: Path, tokens: Tokens) -> ObservedToken:
        if tokens.refresh_token is not None:
            _write(file, tokens.refresh_token.get_secret_value().encode())
        now = self._clock.now()
        life = timedelta(seconds=tokens.refresh_expires_in_seconds or LIFE_SECONDS)
        seen = ObservedToken(
            state=TokenState.ACTIVE, expires_at=rfc3339(now + life), observed_at=rfc3339(now)
        )
        await self._observed.observe(token.id, seen)
        return seen

    def _dead(self, seen: ObservedToken | None) -> ObservedToken:
        """Expired if its time was over, else revoked by somebody."""
        now = self._clock.now()
        left = seconds_left(seen, now)
        state = TokenState.EXPIRED if left is not None and left <= 0 else TokenState.REVOKED
        expires_at = None if seen is None else seen.expires_at
        return ObservedToken(state=state, expires_at=expires_at, observed_at=rfc3339(now))

    @contextmanager
    def _held(self, token_id: str) -> Iterator[None]:
        """Two refreshes at once would each make the other's token worthless."""
        with self._lock_file(token_id) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperatorError(
                    "token_busy", f"token {token_id} is being refreshed by another process"
                ) from None
            yield

    def _lock_file(self, token_id: str) -> IO[bytes]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            return (self._directory / f"usps-token-{token_id}.lock").open("ab")
        except OSError as error:
            raise OperatorError(
                "state_unwritable",
                f"{self._directory} cannot be written ({error.strerror}); make room or correct "
                f"{PREFIX}STATE_DIRECTORY",
            ) from None


def _file_of(token: MerchantAccessToken) -> Path:
    file = refresh_file(token)
    if file is None:
        raise OperatorError(
            "token_not_kept",
            f"token {token.id} has no account or refresh_token in the registry, or is declared "
            "revoked; write `account: …` and `refresh_token: file:PATH`, then registry apply",
        )
    return file


def _read(token: MerchantAccessToken, file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise OperatorError(
            "refresh_token_unreadable",
            f"token {token.id}: {file} cannot be read ({type(error).__name__}); run "
            f"`scanwire-receiver tokens authorize {token.id}`",
        ) from None
    if not text:
        raise OperatorError(
            "refresh_token_unreadable",
            f"token {token.id}: {file} is empty; run `scanwire-receiver tokens authorize "
            f"{token.id}`",
        )
    return text


def _rehearse(file: Path) -> None:
    """Writes as much beside it: what USPS gives next is given once, and must find room."""
    beside = file.with_name(f"{file.name}.try")
    _write(beside, b"x" * _ROOM_BYTES)
    beside.unlink(missing_ok=True)


def _write(file: Path, content: bytes) -> None:
    try:
        write_whole(file, content)
    except OSError as error:
        raise OperatorError(
            "refresh_token_unwritable",
            f"{file} cannot be written ({error.strerror}); make room, or correct the path",
        ) from None
