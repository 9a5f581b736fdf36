"""From what is wanted and what is seen to the steps between; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from receiver.subscribing.shapes import ENABLED, SUSPENDED, Place, UspsSubscription, Wanted
from receiver.subscribing.sight import Sight


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is another way at USPS; no secret is ever in it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Create:
    """POST. `replaces`: the one that goes afterwards, or before, if USPS takes no second one."""

    place: Place | None
    why: str
    replaces: UspsSubscription | None = None


@dataclass(frozen=True, slots=True)
class Adopt:
    """It is there already: only the books are changed."""

    place: Place
    subscription: UspsSubscription
    why: str


@dataclass(frozen=True, slots=True)
class Update:
    """PUT."""

    place: Place
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE of one of ours."""

    place: Place
    subscription: UspsSubscription
    why: str


Step = Create | Adopt | Update | Delete


@dataclass(frozen=True, slots=True)
class Decision:
    """Steps in their order, and what the operator should know or do next, a sentence each."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


def decide(wanted: Wanted, sight: Sight) -> Decision:
    """No steps: USPS has it as it is declared, and nothing of ours beside it."""
    return Decision(tuple(_steps(wanted, sight)), tuple(_notes(wanted, sight)))


def _steps(wanted: Wanted, sight: Sight) -> Iterator[Step]:
    current = sight.current
    if current is None:
        yield Create(None, "USPS has it no more" if sight.was_known else "USPS does not have it")
    else:
        place = Place(wanted.account, current.subscription_id)
        if not sight.in_books:
            yield Adopt(place, current, "it is at USPS already")
        if is_filtered_otherwise(wanted, sight):
            text = f"{current.filter.text} -> {wanted.filter.text}"
            yield Create(place, text, replaces=current)
            yield Delete(place, current, "another one takes its place")
        elif found := tuple(differences(wanted, sight)):
            yield Update(place, found)
    for left, subscription in sight.leftovers:
        yield Delete(left, subscription, "ours, and no longer in use")


def is_filtered_otherwise(wanted: Wanted, sight: Sight) -> bool:
    """Another filter than declared; not where USPS was asked for ours and told another form."""
    if sight.current is None or sight.current.filter == wanted.filter:
        return False
    return sight.made is None or sight.made.filter != wanted.filter.text


def differences(wanted: Wanted, sight: Sight) -> Iterator[Difference]:
    """What a PUT can set right."""
    current = sight.current
    if current is None:
        return
    if current.listener_url != wanted.listener_url:
        yield Difference("listener_url", current.listener_url, wanted.listener_url)
    if current.status != ENABLED:
        yield Difference("status", current.status, ENABLED)
    before = _secret_at_usps(wanted, sight, current)
    if before:
        yield Difference("secret", before, "the newest")


def _secret_at_usps(wanted: Wanted, sight: Sight, current: UspsSubscription) -> str:
    """Empty: the newest. An echo counts only if it is a secret of ours: it may be masked."""
    mark = wanted.mark
    if mark is not None and current.echoed_mark == mark:
        return ""
    if current.echoed_mark in wanted.older_marks:
        return "an older one"
    if sight.made is None:
        return "not known here"
    return "" if sight.made.mark == mark else "an older one"


def _notes(wanted: Wanted, sight: Sight) -> Iterator[str]:
    current = sight.current
    if current is None or is_filtered_otherwise(wanted, sight):
        yield (
            "what USPS sends before we know the new id is quarantined as unknown_subscription; "
            "then `scanwire-receiver quarantine resubmit` takes it in"
        )
    if current is None and sight.was_known:
        yield f"what was missed meanwhile: {backfill(wanted, None)}"
    elif current is not None:
        yield from _notes_on(wanted, sight, current)
    for stranger in sight.strangers:
        yield (
            f"{stranger.subscription_id} at USPS is for the same, and not known to be ours: its "
            "callbacks are refused; end it by hand, or name its id in the registry file"
        )
    for place in sight.unreachable:
        yield (
            f"{place.subscription_id} belongs to account {place.account}, which is not declared "
            "any more; declare it until that subscription is deleted"
        )


def _notes_on(wanted: Wanted, sight: Sight, current: UspsSubscription) -> Iterator[str]:
    if is_filtered_otherwise(wanted, sight) and current.stands_for(wanted):
        yield (
            "USPS may take the new one only when the old one is gone; what is missed in between: "
            f"{backfill(wanted, None)}"
        )
    if current.status != ENABLED:
        since = current.status_changed_at
        why = "USPS suspended it" if current.status == SUSPENDED else f"it is {current.status}"
        yield f"{why}; what was missed: {backfill(wanted, since)}"
    if any(one.field == "secret" for one in differences(wanted, sight)):
        yield (
            "receivers must have the newest secret before USPS: file: ones they read by "
            "themselves, for an env: one start them again first"
        )
    elif wanted.more_secrets:
        yield (
            "USPS signs with the newest secret; when no callback matches an older one any more "
            "(usps_receiver_secret_last_used_timestamp_seconds), remove the older ones from the "
            "registry file"
        )


def backfill(wanted: Wanted, since: str | None) -> str:
    """The command that asks USPS for what callbacks missed."""
    subject = (
        f"--tracking-number {wanted.filter.tracking_number}"
        if wanted.filter.tracking_number is not None
        else f"--mid {wanted.filter.mid} --since {since or 'TIME'}"
    )
    return f"scanwire-receiver backfill {subject} --account {wanted.account}"
