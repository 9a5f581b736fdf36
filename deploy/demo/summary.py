"""The summary of a run that was checked: counts that must balance, and what does not."""

from collections.abc import Iterator, Mapping, Sequence

from deploy.demo.verify import Check, Outcome
from processors.ledger.equations import equations_of

_ACCEPTED = "accepted"


def summary_lines(outcome: Outcome, checks: Sequence[Check]) -> Iterator[str]:
    """For people, top to bottom as events flow."""
    yield ""
    yield from _sent(outcome)
    yield from _ledger(outcome)
    yield from _merchants(outcome)
    yield ""
    for check in checks:
        yield f"{'yes' if check.holds else 'NO '}  {check.name}"
        for sentence in check.wrong:
            yield f"       {sentence}"
    wrong = sum(not check.holds for check in checks)
    yield ""
    yield "Everything balances." if not wrong else f"{wrong} of {len(checks)} checks failed."


def _sent(outcome: Outcome) -> Iterator[str]:
    truth = outcome.truth
    refused = {slug: count for slug, count in truth.answers.items() if slug != _ACCEPTED}
    total, accepted = sum(truth.answers.values()), truth.answers[_ACCEPTED]
    yield (
        f"{total} callbacks of {truth.packages} packages = {accepted} accepted "
        f"({truth.becomes['quarantined']} of them set aside) + "
        f"{sum(refused.values())} refused ({_counts(refused)})"
    )
    yield f"  faults: {_counts(truth.faults)}"
    yield f"  odd journeys: {_counts(truth.oddities)}"
    if truth.retried:
        yield f"  tried again: {truth.retried}"


def _ledger(outcome: Outcome) -> Iterator[str]:
    yield "Ledger:"
    for equation in equations_of(outcome.books):
        parts = " + ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in equation.right.items() if count
        )
        yield f"  {equation.name}: {equation.left} = {parts or '0'}"


def _merchants(outcome: Outcome) -> Iterator[str]:
    yield "Merchants:"
    for destination, ids in sorted(outcome.received.items()):
        counts = outcome.reading.merchants.get(destination)
        how = "" if counts is None else f", verified {counts['verified']}{_speed(counts)}"
        yield f"  {destination}: {len(ids)} events{how}"
    for (merchant, reason), ids in sorted(outcome.truth.withheld.items()):
        yield f"  withheld from {merchant}: {len(ids)} ({reason})"


def _speed(counts: Mapping[str, Mapping[str, float | None]]) -> str:
    p50, p99 = counts["latency_seconds"]["p50"], counts["latency_seconds"]["p99"]
    if p50 is None or p99 is None:
        return ""
    return f", from callback to merchant p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
