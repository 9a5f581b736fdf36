"""What people type: python -m deploy.broker, make, .ci/run."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.broker import free_port
from deploy.broker.install import REPOSITORY_ROOT


def _broker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.broker", *arguments],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def _dry_run(*arguments: str) -> str:
    """What make would do if .venv were up to date."""
    command = ["make", "--dry-run", "--assume-old=.venv/.installed", *arguments]
    # Under `make test` the outer make's flags would win over these.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        command,
        cwd=REPOSITORY_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_broker_outlives_the_command_that_starts_it(tmp_path: Path) -> None:
    """Start, start again, status, stop, stop again: each says what it found, and exits so."""
    data = ["--data", str(tmp_path)]
    port = free_port(random.SystemRandom())
    try:
        started = _broker("start", *data, "--port", str(port))
        assert started.returncode == 0, started.stderr
        assert f"answers at 127.0.0.1:{port} (started in" in started.stdout
        assert "(already ran;" in _broker("start", *data, "--port", str(port)).stdout
        assert _broker("status", *data).returncode == 0
    finally:
        stopped = _broker("stop", *data)
    assert "its data stay in" in stopped.stdout
    assert _broker("status", *data).returncode == 1
    assert "No broker runs" in _broker("stop", *data).stdout


def test_refusal_is_one_sentence_on_stderr(tmp_path: Path) -> None:
    """No traceback: what cannot be done is said, with exit code 1."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    refused = _broker("start", "--data", str(tmp_path / "file" / "broker"))
    assert refused.returncode == 1
    assert "Choose another directory" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_wrong_usage_exits_2() -> None:
    """A command that does not exist, and a port that cannot be, are usage errors."""
    assert _broker("restart").returncode == 2
    assert _broker("start", "--port", "70000").returncode == 2


@pytest.mark.parametrize(
    ("variables", "flags"),
    [
        ([], "-m deploy.demo"),
        (["ONCE=1"], "-m deploy.demo --once"),
        (["ONCE=0"], "-m deploy.demo"),
        (["ONCE=1", "RATE=50", "SEED=7"], "-m deploy.demo --once --rate 50 --seed 7"),
    ],
)
def test_make_run_passes_its_variables_as_flags(variables: list[str], flags: str) -> None:
    """ONCE, RATE and SEED reach the demonstration, and only when they are given."""
    assert _dry_run("run", *variables).rstrip().endswith(flags)


def test_ci_entry_is_executable() -> None:
    """.ci/run can be run as it is."""
    assert os.access(REPOSITORY_ROOT / ".ci" / "run", os.X_OK)
