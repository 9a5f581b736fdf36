"""What both console scripts share: a parser with all settings in its help, and exit codes."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from schemas.errors import ScanwireError
from schemas.logs import configure_logging
from schemas.secrets import Secrets
from schemas.settings import Settings, describe

EXIT_FAILED: Final = 1


# Adds one command's parser and sets its default `run`.
AddTo = Callable[[Any], None]
Run = Callable[[argparse.Namespace, Settings, Secrets], int]


def command_parser(
    program: str, description: str, commands: Iterable[AddTo]
) -> argparse.ArgumentParser:
    """A parser of these commands; `--help` lists every setting."""
    settings = "\n".join(
        f"  {name} ({default})\n      {text}" for name, default, text in describe()
    )
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"settings, from the environment:\n{settings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    adding = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_to in commands:
        add_to(adding)
    return parser


def run_command(
    parser: argparse.ArgumentParser,
    environ: Mapping[str, str],
    read_file: Callable[[str], str],
    run: Run,
) -> int:
    """Parses, reads the settings, runs. Exit codes: 0 well, 1 refused or failed, 2 usage."""
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environ(environ)
        configure_logging(settings.log_level, settings.log_format)
        return run(arguments, settings, Secrets(environ, read_file))
    except ScanwireError as error:
        print(error.detail, file=sys.stderr)  # noqa: T201 -- the operator reads stderr
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_FAILED
