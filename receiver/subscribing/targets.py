"""What the registry in force wants at USPS, and what stands in the way, a sentence each."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from receiver.following.subscriptions import SECRET_CHARACTERS
from receiver.subscribing.shapes import Wanted, event_filter, secret_mark
from schemas.registry.entities import Subscription, UspsAccount
from schemas.registry.index import Registry
from schemas.secrets import Secrets, SecretUnavailable

# Per home CRID, as two integrators report (reference of 2026-06); USPS's document has no limit.
MAX_LISTENER_URLS: Final = 10


@dataclass
class Targets:
    """By name, in the registry's order. `unmanaged`: declared without an account."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    unmanaged: list[str] = field(default_factory=list)
    declared_ids: dict[str, str | None] = field(default_factory=dict)


def targets(
    registry: Registry,
    secrets: Secrets,
    *,
    may_generate: Callable[[str], bool],
    unread: Iterable[str] = (),
) -> Targets:
    """`may_generate`: whether a missing secret of this reference will be made.

    `unread`: names of declarations that a newer version wrote.
    """
    accounts = {one.id for one in registry.all("usps_account") if isinstance(one, UspsAccount)}
    found = Targets()
    for one in registry.all(Subscription.entity_kind):
        if not isinstance(one, Subscription):
            continue
        found.declared_ids[one.name] = one.id
        if one.account is None:
            found.unmanaged.append(one.name)
            continue
        problem = _incomplete(one, accounts)
        try:
            newest = None if problem else _newest(one.secrets[0], secrets, may_generate)
        except SecretUnavailable as error:
            problem = error.detail
        if problem:
            found.problems[one.name] = problem
        else:
            found.wanted[one.name] = _wanted(one, one.account, newest, secrets)
    _refuse_too_many_urls(found)
    _refuse_equal_ones(found)
    for name in unread:
        # Not declared no more: it must never be deleted for that.
        found.declared_ids[name] = None
        found.problems[name] = "this version cannot read its declaration; use the newer one"
    return found


def _incomplete(one: Subscription, accounts: set[str]) -> str:
    if one.account not in accounts:
        return f"account {one.account} is not declared; add it to usps_accounts"
    if one.listener_url is None:
        return "listener_url is missing; USPS must know where to call"
    if not one.listener_url.startswith(("https://", "http://")):
        return "listener_url is no web address; write https://…"
    if not one.admin_emails:
        return "admin_emails is missing; USPS wants one to three"
    return ""


def _newest(
    reference: str, secrets: Secrets, may_generate: Callable[[str], bool]
) -> SecretStr | None:
    """None: it will be made. Raises `SecretUnavailable`."""
    try:
        secret = secrets.resolve(reference)
    except SecretUnavailable as error:
        if may_generate(reference):
            return None
        raise SecretUnavailable(
            error.reason,
            f"{error.detail}; set it where this runs"
            + (", or use --generate-secrets" if reference.startswith("file:") else ""),
        ) from None
    value = secret.get_secret_value()
    if len(value) != SECRET_CHARACTERS or not (value.isascii() and value.isprintable()):
        raise SecretUnavailable(
            "secret_unusable",
            f"{reference} does not have exactly {SECRET_CHARACTERS} printable ASCII characters",
        )
    return secret


def _wanted(one: Subscription, account: str, newest: SecretStr | None, secrets: Secrets) -> Wanted:
    return Wanted(
        name=one.name,
        account=account,
        listener_url=one.listener_url or "",
        filter=event_filter(one),
        admin_emails=tuple(one.admin_emails or ()),
        declared_id=one.id,
        secret=newest,
        older_marks=frozenset(_marks(one.secrets[1:], secrets)),
        more_secrets=len(one.secrets) - 1,
    )


def _marks(references: Iterable[str], secrets: Secrets) -> Iterable[str]:
    for reference in references:
        try:
            yield secret_mark(secrets.resolve(reference).get_secret_value())
        except SecretUnavailable:
            continue  # not needed to sign; receivers tell that they lack it


def _refuse_too_many_urls(found: Targets) -> None:
    """USPS would refuse one of them, nobody knows which: none is touched."""
    for account, many in _by(found.wanted, lambda one: one.account).items():
        urls = {one.listener_url for one in many}
        for one in many if len(urls) > MAX_LISTENER_URLS else ():
            _refuse(
                found,
                one,
                f"account {account} has {len(urls)} listener URLs and USPS allows "
                f"{MAX_LISTENER_URLS}; let subscriptions share one",
            )


def _refuse_equal_ones(found: Targets) -> None:
    """USPS takes the second for a repeat of the first (reference of 2026-06)."""
    for many in _by(
        found.wanted, lambda one: f"{one.account} {one.listener_url} {one.filter.subject}"
    ).values():
        names = ", ".join(one.name for one in many)
        for one in many if len(many) > 1 else ():
            _refuse(
                found,
                one,
                f"{names} have the same account, listener_url and mid or tracking_number, and "
                "USPS takes one of those; put the event_types of all into one",
            )


def _by(wanted: Mapping[str, Wanted], key: Callable[[Wanted], str]) -> dict[str, list[Wanted]]:
    groups: dict[str, list[Wanted]] = defaultdict(list)
    for one in wanted.values():
        groups[key(one)].append(one)
    return groups


def _refuse(found: Targets, one: Wanted, sentence: str) -> None:
    found.problems[one.name] = sentence
    del found.wanted[one.name]
