"""`scanwire-receiver tokens`: the tokens that merchants gave a platform."""

import argparse
import asyncio
import getpass
import sys
from typing import Any

import orjson

from receiver.check import read_registry
from receiver.feeds.registry_in_force import existing_topics
from receiver.program import Tools
from receiver.publishing.producer import BROKER_FAULTS
from receiver.usps.client import choose_account, usps_client
from receiver.usps.merchant_tokens import MerchantTokens, is_due, refresh_file, seconds_left
from receiver.usps.observed_tokens import ObservedTokens
from receiver.usps.token_keeping import kept_tokens, refresh_one
from schemas.errors import OperatorError, ScanwireError
from schemas.metrics import UspsMetrics
from schemas.registry.entities import MerchantAccessToken
from schemas.registry.index import Registry
from schemas.secrets import Secrets
from schemas.settings import Settings

_EXIT_FAILED = 1


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse's own type is private
    """`tokens list|authorize|refresh`."""
    parser = commands.add_parser("tokens", help="the tokens that merchants gave a platform")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="each, its state and how long it lives")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    authorize = actions.add_parser(
        "authorize", help="exchange the code that USPS sent a merchant back with (from stdin)"
    )
    authorize.add_argument("token", help="its id in the registry")
    authorize.add_argument("--redirect-uri", required=True, help="as registered at USPS")
    refresh = actions.add_parser("refresh", help="refresh those that are due, or these now")
    refresh.add_argument("token", nargs="*", help="ids in the registry")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    return asyncio.run(_act(arguments, Tools.of(settings, secrets)))


async def _act(arguments: argparse.Namespace, tools: Tools) -> int:
    registry = await _registry(tools)
    if arguments.action == "list":
        return _list(tools, registry, as_json=arguments.json)
    if arguments.action == "authorize":
        return await _authorize(tools, registry, arguments.token, arguments.redirect_uri)
    return await _refresh(tools, registry, arguments.token)


async def _registry(tools: Tools) -> Registry:
    names = tools.settings.topics
    await existing_topics(tools.kafka, (names.registry, names.observed))
    try:
        return (await read_registry(tools)).registry
    except BROKER_FAULTS as error:
        raise OperatorError(
            "registry_unavailable", f"the registry could not be read ({type(error).__name__})"
        ) from None


def _list(tools: Tools, registry: Registry, *, as_json: bool) -> int:
    rows = [_row(tools, registry, token) for token in _declared(registry)]
    if as_json:
        text = orjson.dumps({"tokens": rows}, option=orjson.OPT_INDENT_2).decode()
    else:
        text = "\n".join(
            f"{row['id']}  {row['merchant']} -> {row['platform']}  {row['state']}  "
            f"{'-' if row['seconds_left'] is None else row['seconds_left']} s left"
            f"{'  due' if row['due'] else ''}"
            for row in rows
        )
    sys.stdout.write(f"{text}\n")
    return 0


def _row(tools: Tools, registry: Registry, declared: MerchantAccessToken) -> dict[str, Any]:
    token = registry.token(declared.id) or declared
    seen, now = registry.observed_tokens.get(token.id), tools.clock.now()
    left = seconds_left(seen, now)
    return {
        "id": token.id,
        "merchant": token.merchant,
        "platform": token.platform,
        "state": token.state.value,
        "seconds_left": None if left is None else round(left),
        "kept": refresh_file(declared) is not None,
        "due": refresh_file(declared) is not None and is_due(seen, now),
    }


def _declared(registry: Registry) -> list[MerchantAccessToken]:
    found = registry.all("merchant_access_token")
    return [one for one in found if isinstance(one, MerchantAccessToken)]


def _token(registry: Registry, token_id: str) -> MerchantAccessToken:
    found = registry.get("merchant_access_token", token_id)
    if not isinstance(found, MerchantAccessToken):
        known = ", ".join(one.id for one in _declared(registry)) or "none"
        raise OperatorError("token_unknown", f"no token {token_id}; the registry has: {known}")
    return found


async def _authorize(tools: Tools, registry: Registry, token_id: str, redirect_uri: str) -> int:
    token = _token(registry, token_id)
    account = choose_account(registry, token.account)
    # Not an argument: those stand in the list of processes.
    asked = getpass.getpass("code: ") if sys.stdin.isatty() else sys.stdin.readline()
    code = asked.strip()
    if not code:
        raise OperatorError("code_missing", "give the code on standard input")
    observed = ObservedTokens(tools.kafka)
    tokens = MerchantTokens(observed, tools.clock, tools.settings.state_directory)
    async with usps_client(tools, account) as client:
        seen = await tokens.authorize(token, client.endpoint, code, redirect_uri)
    sys.stdout.write(f"{token.id} is active; without a refresh until {seen.expires_at}\n")
    return 0


async def _refresh(tools: Tools, registry: Registry, wanted: list[str]) -> int:
    """Those named, or all that are due; one that fails does not keep the others from it."""
    if wanted:
        tokens = [_token(registry, token_id) for token_id in wanted]
    else:
        seen, now = registry.observed_tokens, tools.clock.now()
        tokens = [one for one in kept_tokens(registry) if is_due(seen.get(one.id), now)]
    observed, metrics = ObservedTokens(tools.kafka), UspsMetrics(tools.metrics)
    failed = 0
    for token in tokens:
        try:
            await refresh_one(tools, registry, token, observed, metrics)
        except ScanwireError as error:
            failed += 1
            print(f"{token.id}: {error.detail}", file=sys.stderr)  # noqa: T201 -- for the operator
    sys.stdout.write(f"{len(tokens) - failed} refreshed\n")
    return _EXIT_FAILED if failed else 0
