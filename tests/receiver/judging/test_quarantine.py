"""What of refused requests is kept, and what only counted."""

from structlog.testing import capture_logs

from receiver.judging.quarantine import MinuteCaps, readable_headers
from receiver.judging.refusals import LINES_PER_WINDOW, RefusalLog
from tests.receiver.fakes import FakeClock


def test_cap_of_one_subscription() -> None:
    """One subscription's cap leaves the others theirs, and ends with its minute."""
    clock = FakeClock()
    caps = MinuteCaps(clock, per_subscription=2, in_all=100)
    assert [caps.take("a", known=True) for _ in range(3)] == [True, True, False]
    assert caps.take("b", known=True)
    clock.advance(60)
    assert caps.take("a", known=True)


def test_cap_in_all() -> None:
    """However many subscriptions there are, so many are kept in all."""
    caps = MinuteCaps(FakeClock(), per_subscription=10, in_all=5)
    assert sum(caps.take(str(number), known=True) for number in range(20)) == 5


def test_a_few_broken_subscriptions_leave_room_for_the_others() -> None:
    """Ten floods of known subscriptions do not push out the first refusals of an eleventh."""
    caps = MinuteCaps(FakeClock(), per_subscription=60, in_all=600)
    for _ in range(1_000):
        for number in range(10):
            caps.take(f"flood-{number}", known=True)
    assert sum(caps.take("other", known=True) for _ in range(60)) >= 20


def test_unknown_ids_leave_room_for_known_ones() -> None:
    """A flood of invented ids takes at most half."""
    caps = MinuteCaps(FakeClock(), per_subscription=10, in_all=10)
    assert sum(caps.take(str(number), known=False) for number in range(1000)) == 5
    assert sum(caps.take(f"known-{number}", known=True) for number in range(10)) == 5


def test_invented_ids_do_not_fill_the_memory() -> None:
    """Only ids of which something was kept are remembered."""
    caps = MinuteCaps(FakeClock(), per_subscription=10, in_all=10)
    for number in range(10_000):
        caps.take(str(number), known=False)
    assert len(caps._by_id) <= 10


def test_headers_are_readable_and_without_credentials() -> None:
    """Headers of one name are joined; those that carry credentials are left out."""
    headers = [
        (b"X-Seen", b"a"),
        (b"x-seen", b"\xe9"),
        (b"Authorization", b"Bearer secret"),
        (b"Cookie", b"secret"),
        (b"proxy-authorization", b"secret"),
    ]
    assert readable_headers(headers) == {"x-seen": "a, é"}


def test_refusals_are_logged_within_bounds() -> None:
    """So many lines per slug and minute; the next line says how many were left out."""
    clock = FakeClock()
    refusals = RefusalLog(clock)
    with capture_logs() as lines:
        for _ in range(LINES_PER_WINDOW + 7):
            refusals.note("not_json", None)
        refusals.note("signature_mismatch", "acme-webhook")
        clock.advance(60)
        refusals.note("not_json", None)
    assert len(lines) == LINES_PER_WINDOW + 2
    assert {line["event"] for line in lines} == {"callback_refused"}
    assert lines[-2]["subscription"] == "acme-webhook"
    assert lines[-1]["left_out"] == 7
