"""The parts of the USPS client, put together in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from receiver.program import Tools
from receiver.usps.access_tokens import ClientCredentials
from receiver.usps.account import Account
from receiver.usps.bucket import Allowance
from receiver.usps.exchange import usps_session
from receiver.usps.http import UspsHttp
from receiver.usps.oauth import TokenEndpoint
from receiver.usps.quota import SharedQuota
from receiver.usps.retries import ATTEMPTS
from receiver.usps.timing import Timing
from schemas.errors import OperatorError
from schemas.metrics import UspsMetrics
from schemas.registry.entities import UspsAccount
from schemas.registry.index import Registry


@dataclass(frozen=True, slots=True)
class UspsClient:
    """One account's way to USPS."""

    http: UspsHttp
    endpoint: TokenEndpoint
    quota: SharedQuota
    timing: Timing


@asynccontextmanager
async def usps_client(
    tools: Tools,
    declared: UspsAccount,
    *,
    attempts: int = ATTEMPTS,
    metrics: UspsMetrics | None = None,
) -> AsyncIterator[UspsClient]:
    """The client of a declared account. Raises `SecretUnavailable`."""
    account = Account.of(declared, tools.secrets)
    timing = Timing(tools.clock)
    metrics = metrics or UspsMetrics(tools.metrics)
    quota = SharedQuota(
        tools.settings.state_directory, account.id, allowance_of(tools), timing, metrics
    )
    async with usps_session() as session:
        endpoint = TokenEndpoint(
            session,
            account,
            timing,
            metrics,
            quota=quota,
            scope=tools.settings.usps_oauth_scope,
            attempts=attempts,
        )
        tokens = ClientCredentials(endpoint, tools.clock)
        http = UspsHttp(session, account, tokens, timing, metrics, quota=quota, attempts=attempts)
        yield UspsClient(http, endpoint, quota, timing)


def allowance_of(tools: Tools) -> Allowance:
    """By the settings."""
    return Allowance(tools.settings.usps_calls_per_hour, tools.settings.usps_calls_burst)


def choose_account(registry: Registry, wanted: str | None) -> UspsAccount:
    """The account of this id, or the only one. Raises `OperatorError`."""
    known = [one for one in registry.all("usps_account") if isinstance(one, UspsAccount)]
    if wanted is not None:
        for one in known:
            if one.id == wanted:
                return one
    elif len(known) == 1:
        return known[0]
    names = ", ".join(one.id for one in known) or "none"
    raise OperatorError(
        "account_unknown",
        f"say --account, one of those that the registry has: {names}"
        if known
        else "the registry has no usps_accounts; declare one and run "
        "`scanwire-processors registry apply FILE`",
    )
