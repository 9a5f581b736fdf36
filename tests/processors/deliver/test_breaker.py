"""Whose fault a failure is."""

from processors.deliver.breaker import Admission, Breaker

NORMAL = Admission.NORMAL


def tripped(now: float = 0.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker()
    for number in "abc":
        breaker.failed(number, NORMAL, now, None)
    return breaker


def test_three_different_numbers_in_a_row_open_it() -> None:
    """The third failure of a third number is the destination's fault; the two before were not."""
    breaker = Breaker()
    assert [breaker.failed(number, NORMAL, 0.0, None) for number in "abc"] == [False, False, True]
    assert breaker.open


def test_one_number_that_always_fails_does_not_open_it() -> None:
    """A record may be what breaks the destination: its number alone proves nothing."""
    breaker = Breaker()
    assert not any(breaker.failed("a", NORMAL, 0.0, None) for _ in range(20))


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    """Failures that are not in a row do not add up."""
    breaker = Breaker()
    breaker.failed("a", NORMAL, 0.0, None)
    breaker.failed("b", NORMAL, 0.0, None)
    breaker.answered(NORMAL)
    assert not breaker.failed("c", NORMAL, 0.0, None)


def test_it_probes_after_five_seconds_and_then_less_often() -> None:
    """5 s, 10 s, 20 s, 40 s, then every 60 s; one probe at a time."""
    breaker, now, waits = tripped(), 0.0, []
    for _ in range(7):
        resumes_at = breaker.resumes_at
        assert resumes_at is not None
        waits.append(resumes_at - now)
        now = resumes_at
        assert breaker.admit() is Admission.PROBE
        assert not breaker.admits(now + 1000)
        assert breaker.failed("d", Admission.PROBE, now, None)
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_a_probe_that_is_answered_closes_it() -> None:
    """An accepted or refused probe shows that the destination is there."""
    breaker = tripped()
    breaker.answered(breaker.admit())
    assert not breaker.open
    assert breaker.admits(0.0)


def test_an_old_attempt_does_not_run_ahead_of_the_probe() -> None:
    """What started before the opening does not close it while a probe is under way."""
    breaker = tripped()
    breaker.admit()
    breaker.answered(NORMAL)
    assert breaker.open


def test_a_withdrawn_probe_leaves_room_for_another() -> None:
    """A probe that never started blocks nothing."""
    breaker = tripped()
    breaker.withdrawn(breaker.admit())
    assert breaker.admits(5.0)


def test_retry_after_is_obeyed_for_the_whole_destination() -> None:
    """Nothing starts before the time the destination asked for, also while it is closed."""
    breaker = Breaker()
    breaker.failed("a", NORMAL, 0.0, 30.0)
    assert not breaker.admits(29.9)
    assert breaker.admits(30.0)


def test_retry_after_is_bounded() -> None:
    """A destination that asks for a year is asked again after an hour."""
    breaker = Breaker()
    breaker.failed("a", NORMAL, 0.0, 31_536_000.0)
    assert breaker.admits(3600.0)


def test_retry_after_decides_the_first_probe() -> None:
    """A destination that says when to come back is believed, once."""
    breaker = Breaker()
    for number in "abc":
        breaker.failed(number, NORMAL, 0.0, 2.0)
    assert breaker.resumes_at == 2.0
    breaker.failed("d", breaker.admit(), 2.0, 0.5)
    assert breaker.resumes_at == 12.0
