"""Pid files, ports and the lifeline, with small processes in the broker's place."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.broker.errors import BrokerError
from deploy.broker.ports import ensure_free, free_port
from deploy.broker.process import PidFile, spawn_lifeline

PORT = 9092


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing for a minute."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def pid_file(tmp_path: Path) -> PidFile:
    """A pid file that is not there yet."""
    return PidFile(tmp_path / "broker.pid")


def test_live_process_is_found_again(sleeper: subprocess.Popen[bytes], pid_file: PidFile) -> None:
    """What was written is what is read: the process and its port."""
    pid_file.write(psutil.Process(sleeper.pid), PORT)
    assert pid_file.read() == (psutil.Process(sleeper.pid), PORT)


def test_pid_of_a_dead_process_is_removed(
    sleeper: subprocess.Popen[bytes], pid_file: PidFile
) -> None:
    """A process that ended without a word leaves no pid file behind for long."""
    pid_file.write(psutil.Process(sleeper.pid), PORT)
    sleeper.kill()
    sleeper.wait()
    assert pid_file.read() is None
    assert not pid_file.path.exists()


def test_number_taken_over_by_another_process_is_not_ours(pid_file: PidFile) -> None:
    """A pid whose process started at another time is somebody else's, and is not touched."""
    pid_file.path.write_text(f'{{"pid": {os.getpid()}, "started": 1.0, "port": {PORT}}}')
    assert pid_file.read() is None


@pytest.mark.parametrize("content", ["", "17", "{}", '{"pid": "x"}', "\x00\xff"])
def test_damaged_pid_file_counts_as_none(pid_file: PidFile, content: str) -> None:
    """Whatever a full disk left in the file, it is removed."""
    pid_file.path.write_text(content, encoding="utf-8")
    assert pid_file.read() is None
    assert not pid_file.path.exists()


def test_lifeline_ends_the_process_when_its_starter_is_killed(
    sleeper: subprocess.Popen[bytes],
) -> None:
    """Kill -9 of the process that holds the lifeline ends the broker too."""
    program = (
        "import sys, os, signal\n"
        f"from {spawn_lifeline.__module__} import spawn_lifeline\n"
        "spawn_lifeline(int(sys.argv[1]))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(sleeper.pid)], check=False)
    assert sleeper.wait(timeout=10) < 0


def test_port_in_use_names_its_owner() -> None:
    """The sentence says which process has the port."""
    port = free_port(random.Random())
    with socket.create_server(("127.0.0.1", port)), pytest.raises(BrokerError) as refusal:
        ensure_free(port)
    assert f"Port {port} is in use by process {os.getpid()}" in str(refusal.value)


def test_free_port_is_free() -> None:
    """A port that is offered can be listened on."""
    ensure_free(free_port(random.Random()))
