"""How many files, and so connections, the process may have open."""

import resource
from typing import Final

import structlog

log = structlog.get_logger(__name__)
# For Kafka, logs, the spool and the admin port.
SPARE_FILES: Final = 256


def room_for_connections(wanted: int) -> int:
    """How many connections may be open, up to `wanted`.

    Many systems start processes with a soft limit of 1,024 files and a far higher hard one: it
    is raised as needed. What is still too little is logged, for `accept` then fails.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max(1, soft - SPARE_FILES)
    log.warning("connections_bounded_by_open_files", wanted=wanted, possible=possible)
    return possible
