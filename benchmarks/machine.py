"""What the machine did meanwhile: CPU a process used, and CPU that was stolen from us.

Virtual machines lose time to their neighbours: a run with more than 10 % steal is repeated.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Jiffies of the whole machine since boot, from /proc/stat (proc(5))."""

    steal: int
    total: int

    @classmethod
    def now(cls) -> Self:
        """Reads the first line of /proc/stat."""
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return cls(steal=fields[7], total=sum(fields[:8]))

    def steal_share_since(self, before: "CpuTimes") -> float:
        """Stolen share of all CPU time since then, 0 to 1."""
        total = self.total - before.total
        return (self.steal - before.steal) / total if total else 0.0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children that still run."""
    process = psutil.Process(pid)
    times = [process.cpu_times(), *(child.cpu_times() for child in process.children(True))]
    return sum(time.user + time.system for time in times)


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 1_048_576
