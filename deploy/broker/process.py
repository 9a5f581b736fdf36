"""The broker as a process: started, remembered in a pid file, found again, ended."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from deploy.broker.java import ENVIRONMENT, keep_archive

OUTPUT_FILE: Final = "broker.out"
_STOP_SECONDS: Final = 30.0
_KILL_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01

# Reads until the process that started us is gone, however it went; then ends the broker, $0.
_LIFELINE: Final = """
read -r _; kill -TERM "$0" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; kill -0 "$0" 2>/dev/null || exit 0; done
kill -KILL "$0" 2>/dev/null
"""


def spawn(command: Sequence[str], directory: Path) -> subprocess.Popen[bytes]:
    """Starts a program in the directory, in a session of its own, so that Ctrl-C passes it by."""
    with (directory / OUTPUT_FILE).open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def spawn_lifeline(pid: int) -> subprocess.Popen[bytes]:
    """Starts a shell that ends the process when our own one is gone, also after kill -9."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _LIFELINE, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def cut_lifeline(lifeline: subprocess.Popen[bytes]) -> None:
    """Ends the shell before it does anything."""
    lifeline.kill()
    lifeline.communicate()


def end(process: psutil.Process) -> bool:
    """Asks the process to end, waits 30 s, then kills it; True if it ended by itself."""
    command: list[str] = []
    with suppress(psutil.Error):
        command = process.cmdline()
        process.resume()  # a frozen one would never hear of it
        process.terminate()
    _, alive = psutil.wait_procs([process], timeout=_STOP_SECONDS)
    if alive:
        kill(process)
        return False
    keep_archive(command)
    return True


def end_child(child: subprocess.Popen[bytes]) -> None:
    """The same for a child of ours that has nothing to lose; returns when it is gone."""
    child.terminate()
    try:
        child.wait(_KILL_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def kill(process: psutil.Process) -> None:
    """SIGKILL, and waits until it is gone."""
    with suppress(psutil.NoSuchProcess):
        os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=_KILL_SECONDS)


def freeze(process: psutil.Process) -> None:
    """SIGSTOP, and waits until the system has stopped it."""
    process.suspend()
    deadline = time.monotonic() + _KILL_SECONDS
    while process.status() != psutil.STATUS_STOPPED and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class PidFile:
    """Says which process serves a directory, and on which port; outlives its writer."""

    path: Path

    def write(self, process: psutil.Process, port: int) -> None:
        """Remembers the process."""
        written = self.path.with_suffix(".new")
        entry = {"pid": process.pid, "started": process.create_time(), "port": port}
        written.write_text(json.dumps(entry), encoding="utf-8")
        written.replace(self.path)

    def read(self) -> tuple[psutil.Process, int] | None:
        """The live process and its port; removes the file when it speaks of a dead one."""
        try:
            entry = json.loads(self.path.read_text(encoding="utf-8"))
            process, port = psutil.Process(int(entry["pid"])), int(entry["port"])
            # The number may have gone to another process since: the start time tells.
            if (
                process.status() != psutil.STATUS_ZOMBIE
                and process.create_time() == entry["started"]
            ):
                return process, port
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError, psutil.Error):
            pass
        self.remove()
        return None

    def remove(self) -> None:
        """Forgets the process."""
        self.path.unlink(missing_ok=True)
