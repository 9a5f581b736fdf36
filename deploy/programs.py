"""Programs of ours as operating-system processes: started, watched, killed, ended.

For everything that runs the whole of scanwire on one machine: benchmarks and system tests.
"""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

READY_SECONDS = 60.0
END_SECONDS = 30.0
ROOT = Path(__file__).parent.parent


class ProgramFailed(Exception):
    """A program that ended or did not become ready; its text ends with its last log lines."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a program is started: `python -m` arguments, environment, and where it logs."""

    arguments: Sequence[str]
    environ: Mapping[str, str]
    log: Path


class Program:
    """One process, which may be killed and started again."""

    def __init__(self, start: Start, ready_url: str) -> None:
        self._start = start
        self._ready_url = ready_url
        self.process = self._spawn()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self.process.pid

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._start.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *self._start.arguments],
                cwd=ROOT,
                env=dict(self._start.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until it says that it is ready. Raises `ProgramFailed`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ProgramFailed(self._told(f"ended with {self.process.returncode}"))
            with suppress(OSError):
                fetch(self._ready_url)
                return
            time.sleep(0.05)
        raise ProgramFailed(self._told(f"was not ready within {seconds:.0f} s"))

    def kill(self) -> None:
        """As a crash would end it."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """A new process with the same arguments; not ready yet."""
        self.process = self._spawn()

    def end(self) -> int:
        """SIGTERM, and its exit code; killed if it does not end. Raises `ProgramFailed` then."""
        self.process.terminate()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProgramFailed(self._told(f"ignored SIGTERM for {END_SECONDS:.0f} s")) from None

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all lines of a metric that have these labels."""
        text = fetch(self._ready_url.replace("/health/ready", "/metrics")).decode()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{")) and all(w in line for w in wanted)
        )

    def __enter__(self) -> Self:
        """Waits until it is ready."""
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends it, if it still runs."""
        if self.process.poll() is None:
            self.end()

    def _told(self, what: str) -> str:
        last = self._start.log.read_text(errors="replace").splitlines()[-15:]
        name = " ".join(self._start.arguments)
        return "\n".join([f"{name} {what}; the end of {self._start.log.name}:", *last])


def fetch(url: str) -> bytes:
    """A GET on this machine. Raises `OSError`, also for an answer that is an error."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())
