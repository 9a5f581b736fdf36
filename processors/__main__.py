"""`scanwire-processors`: packages, router, sinks, and the operator's commands."""

import argparse
import os
import sys
from pathlib import Path

from processors.commands import COMMANDS
from processors.program import Tools
from schemas.command_line import command_parser, run_command
from schemas.kafka import KafkaOptions
from schemas.secrets import Secrets
from schemas.settings import Settings


def build_parser() -> argparse.ArgumentParser:
    """Every command; each sets `run`."""
    return command_parser(
        "scanwire-processors",
        "Scan events: what is new, who may see it, and where it goes.",
        COMMANDS,
    )


def _run(arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    tools = Tools(settings, secrets, KafkaOptions.of(settings, secrets))
    code: int = arguments.run(arguments, tools)
    return code


def main() -> int:
    """The console script; the only place that touches the environment."""
    return run_command(
        build_parser(), os.environ, lambda path: Path(path).read_text(encoding="utf-8"), _run
    )


if __name__ == "__main__":
    sys.exit(main())
