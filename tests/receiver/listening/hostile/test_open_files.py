"""A low limit on open files is raised as far as the system lets it be, and told where it is not."""

import resource
import subprocess
import sys

import pytest

from deploy.programs import ROOT

ASK = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from receiver.listening.open_files import room_for_connections
room = room_for_connections(800)
print(room, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "told"),
    [(64, 1500, "800 1056 1500"), (1200, 1500, "800 1200 1500"), (64, 300, "44 300 300")],
)
def test_room_for_connections(soft: int, hard: int, told: str) -> None:
    """The soft limit becomes what is needed; with a lower hard one fewer connections are taken."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
    asked = ASK.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, check=True, capture_output=True, text=True
    )
    *logged, last = done.stdout.splitlines()
    assert last == told
    assert len(logged) == (hard < 1056)
