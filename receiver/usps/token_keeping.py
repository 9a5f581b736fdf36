"""Keeps merchants' tokens alive beside the listener: a look every minute, a refresh every day."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from receiver.program import Tools
from receiver.usps.client import usps_client
from receiver.usps.errors import UspsRefused
from receiver.usps.merchant_tokens import (
    ALARM_BEFORE,
    MerchantTokens,
    ObservesTokens,
    is_dead,
    is_due,
    refresh_file,
    seconds_left,
)
from schemas.errors import OperatorError, ScanwireError
from schemas.metrics import UspsMetrics
from schemas.registry.entities import MerchantAccessToken, UspsAccount
from schemas.registry.index import Registry

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 60.0
# After a failure: often enough for seven days, seldom enough for sixty calls an hour.
AGAIN_SECONDS: Final = 900.0


def kept_tokens(registry: Registry) -> list[MerchantAccessToken]:
    """Those with a refresh token that is ours to keep."""
    return [
        one
        for one in registry.all("merchant_access_token")
        if isinstance(one, MerchantAccessToken) and refresh_file(one) is not None
    ]


async def refresh_one(
    tools: Tools,
    registry: Registry,
    token: MerchantAccessToken,
    observed: ObservesTokens,
    metrics: UspsMetrics,
) -> None:
    """Refreshes a token now. Raises `ScanwireError`."""
    account = registry.get("usps_account", token.account or "")
    if not isinstance(account, UspsAccount):
        raise OperatorError("account_unknown", f"token {token.id}: no account {token.account}")
    tokens = MerchantTokens(observed, tools.clock, tools.settings.state_directory)
    async with usps_client(tools, account, metrics=metrics) as client:
        await tokens.refresh(token, client.endpoint, registry.observed_tokens.get(token.id))


class TokenKeeping:
    """One receiver's part: it keeps the tokens whose files it has."""

    def __init__(
        self,
        tools: Tools,
        registry: Callable[[], Registry | None],
        observed: ObservesTokens,
        metrics: UspsMetrics,
    ) -> None:
        self._tools = tools
        self._registry = registry
        self._observed = observed
        self._metrics = metrics
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Once over all tokens. Of several processes the first does it."""
        registry = self._registry()
        if registry is None or self._tools.worker:
            return
        for token in kept_tokens(registry):
            if _is_here(token):
                self._tell(registry, token)
                await self._refresh_if_due(registry, token)

    def _tell(self, registry: Registry, token: MerchantAccessToken) -> None:
        seen = registry.observed_tokens.get(token.id)
        left = seconds_left(seen, self._tools.clock.now())
        if left is not None:
            self._metrics.token_seconds_left.labels(token.id).set(left)
        self._metrics.token_refused.labels(token.id).set(1 if is_dead(seen) else 0)

    async def _refresh_if_due(self, registry: Registry, token: MerchantAccessToken) -> None:
        clock = self._tools.clock
        seen = registry.observed_tokens.get(token.id)
        waits = clock.monotonic() < self._not_before.get(token.id, float("-inf"))
        if waits or not is_due(seen, clock.now()):
            return
        # Also after a success: what is observed comes back by way of Kafka.
        self._not_before[token.id] = clock.monotonic() + AGAIN_SECONDS
        try:
            await refresh_one(self._tools, registry, token, self._observed, self._metrics)
        except ScanwireError as error:
            left = seconds_left(seen, clock.now())
            pressing = left is not None and left < ALARM_BEFORE.total_seconds()
            dead = isinstance(error, UspsRefused) and error.reason == "invalid_grant"
            tell = log.error if pressing or dead else log.warning
            tell("merchant_token_not_refreshed", token=token.id, detail=error.detail)
        else:
            log.info("merchant_token_refreshed", token=token.id)


def _is_here(token: MerchantAccessToken) -> bool:
    """Whether this machine has its file; another receiver's tokens are left to that one."""
    file = refresh_file(token)
    try:
        return file is not None and file.exists()
    except OSError:
        return False
