"""What a command prints on stdout: lines for a person, or one JSON document."""

import sys
from collections.abc import Iterable
from typing import Any

import orjson


def print_json(document: Any) -> None:  # noqa: ANN401 -- any JSON value
    """One document, ended by a line break."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(document, option=options))
    sys.stdout.flush()


def print_lines(lines: Iterable[str]) -> None:
    """A line each."""
    for line in lines:
        print(line)  # noqa: T201 -- what a command is for
