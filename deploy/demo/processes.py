"""The demo's programs as operating-system processes: started, watched, ended in order."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.broker.process import cut_lifeline, spawn_lifeline
from deploy.demo.layout import ROOT

_STOP_SECONDS: Final = 25.0
_TAIL_BYTES: Final = 64 * 1024
_LINES_SHOWN: Final = 12


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start, where its log goes, and where it says that it is ready."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None


class Child:
    """One running program. It is ended with the demo, also when the demo is killed."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process) -> None:
        self.program = program
        self._process = process
        self._lifeline: subprocess.Popen[bytes] | None = spawn_lifeline(process.pid)
        self.ended = asyncio.create_task(process.wait())

    @classmethod
    async def start(cls, program: Program) -> "Child":
        """Starts it in a session of its own, so that Ctrl-C reaches the demo only."""
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **program.environment},
                start_new_session=True,
            )
        return cls(program, process)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Its exit code, once it has ended; many may wait, and give up waiting."""
        return await asyncio.shield(self.ended)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after 25 s."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.wait()
        self._cut()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _cut(self) -> None:
        if self._lifeline is not None:
            cut_lifeline(self._lifeline)
            self._lifeline = None

    def last_words(self) -> str:
        """How it ended, and the last lines of its log."""
        tail = _tail(self.program.log)
        lines = "\n".join(f"  {line}" for line in tail[-_LINES_SHOWN:])
        return (
            f"{self.program.name} ended with exit code {self.exit_code}. The last lines of "
            f"{self.program.log}:\n{lines or '  (nothing)'}"
        )


def _tail(path: Path) -> list[str]:
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return log.read().decode("utf-8", "replace").splitlines()


async def run_to_end(program: Program) -> None:
    """Runs a command that ends by itself. Raises `DemoError` with its last lines."""
    child = await Child.start(program)
    try:
        if await child.wait() != 0:
            raise DemoError(child.last_words())
    finally:
        await child.stop()
