"""The command line of the tool, and what it says while it reads for long."""

import pytest

from receiver.__main__ import build_parser
from receiver.quarantined.progress import EVERY_SECONDS, Progress
from tests.receiver.fakes import FakeClock


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["show"],
        ["show", "first"],
        ["show", "0-1", "--json", "--body"],
        ["list", "--reason", "unknown"],
        ["list", "--since", "yesterday"],
        ["list", "--limit", "-1"],
        ["resubmit", "0-1", "first"],
    ],
)
def test_wrong_usage_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Said on stderr, before anything is connected to."""
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["quarantine", *arguments])
    assert ended.value.code == 2
    assert "usage: scanwire-receiver quarantine" in capsys.readouterr().err


def test_a_long_run_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A line on stderr now and then; a short run has none."""
    clock = FakeClock()
    progress = Progress(clock, 40_000)
    progress.advance(1_000)
    assert capsys.readouterr().err == ""
    clock.advance(EVERY_SECONDS)
    progress.advance(11_000)
    progress.advance(1_000)
    assert capsys.readouterr().err == "12,000 of 40,000 records looked at\n"
