"""`scanwire-receiver`: the listener that USPS calls, and USPS in a box."""

import argparse
import os
import sys
from pathlib import Path

from receiver.commands import COMMANDS
from schemas.command_line import command_parser, run_command
from schemas.secrets import Secrets
from schemas.settings import Settings


def build_parser() -> argparse.ArgumentParser:
    """Every command; each sets `run`."""
    return command_parser(
        "scanwire-receiver",
        "USPS tracking callbacks in: verified, normalized, durable in Kafka.",
        COMMANDS,
    )


def _run(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    code: int = arguments.run(arguments, settings, secrets)
    return code


def main() -> int:
    """The console script; the only place that touches the environment."""
    return run_command(
        build_parser(), os.environ, lambda path: Path(path).read_text(encoding="utf-8"), _run
    )


if __name__ == "__main__":
    sys.exit(main())
