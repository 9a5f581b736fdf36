"""The commands of `scanwire-processors`, one module each.

A module has `add_to(commands)`, which adds its parser and sets the default `run`: a function
of the parsed arguments and the `Tools` that returns the exit code.
"""

from processors.commands import (
    check,
    destinations,
    ledger,
    packages,
    registry,
    router,
    sinks,
    topics,
)
from schemas.command_line import AddTo

COMMANDS: tuple[AddTo, ...] = (
    check.add_to,
    registry.add_to,
    packages.add_to,
    router.add_to,
    sinks.add_to,
    destinations.add_to,
    topics.add_to,
    ledger.add_to,
)
