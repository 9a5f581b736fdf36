"""Children are watched, told of when they die, and ended with the demo."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from deploy.demo.processes import Child, DemoError, Program, run_to_end

WAITS = "import time\nprint('up', flush=True)\ntime.sleep(60)"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)\n{WAITS}"
DIES = "import sys\nprint('why it died')\nsys.exit(3)"
# Starts a child and is killed: nobody is left to end it, but its lifeline.
DEMO = """
import asyncio, os, sys
from pathlib import Path
from deploy.demo.processes import Child, Program
async def main():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = await Child.start(Program("it", command, Path(sys.argv[1])))
    print(child._process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def program(code: str, log: Path) -> Program:
    """A program of one line."""
    return Program("it", [sys.executable, "-c", code], log)


async def test_child_is_ended_by_sigterm(tmp_path: Path) -> None:
    """Its exit code is known afterwards."""
    child = await Child.start(program(STUBBORN, tmp_path / "it.log"))
    assert child.exit_code is None
    await child.stop()
    assert child.exit_code is not None


async def test_dead_child_is_told_of_with_its_last_lines(tmp_path: Path) -> None:
    """Exit code, log file and what it said last."""
    with pytest.raises(DemoError) as caught:
        await run_to_end(program(DIES, tmp_path / "it.log"))
    for part in ("exit code 3", "it.log", "why it died"):
        assert part in str(caught.value)


async def test_command_that_ends_well_says_nothing(tmp_path: Path) -> None:
    """Exit code 0 is no news."""
    await run_to_end(program("", tmp_path / "it.log"))


async def test_children_end_with_a_killed_demo(tmp_path: Path) -> None:
    """Nothing is left behind by kill -9 of the demo."""
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DEMO, str(tmp_path / "it.log"), stdout=asyncio.subprocess.PIPE
    )
    assert demo.stdout is not None
    child = psutil.Process(int(await demo.stdout.readline()))
    demo.kill()
    await demo.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [child], timeout=10)
    assert gone
