"""`scanwire-receiver`: the listener that USPS calls, and USPS in a box."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from receiver.commands import COMMANDS
from schemas.errors import ScanwireError
from schemas.logs import configure_logging
from schemas.secrets import Secrets
from schemas.settings import Settings, describe

EXIT_FAILED = 1


def build_parser() -> argparse.ArgumentParser:
    """Every command; each sets `run`."""
    settings = "\n".join(
        f"  {name} ({default})\n      {text}" for name, default, text in describe()
    )
    parser = argparse.ArgumentParser(
        prog="scanwire-receiver",
        description="USPS tracking callbacks in: verified, normalized, durable in Kafka.",
        epilog=f"settings, from the environment:\n{settings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_to in COMMANDS:
        add_to(commands)
    return parser


def main() -> int:
    """The console script. Exit codes: 0 well, 1 refused or failed, 2 usage."""
    arguments = build_parser().parse_args()
    run: Callable[[argparse.Namespace, Settings, Secrets], int] = arguments.run
    try:
        settings = Settings.from_environ(os.environ)
        configure_logging(settings.log_level, settings.log_format)
        secrets = Secrets(os.environ, lambda path: Path(path).read_text(encoding="utf-8"))
        return run(arguments, settings, secrets)
    except ScanwireError as error:
        print(error.detail, file=sys.stderr)  # noqa: T201 -- the operator reads stderr
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
