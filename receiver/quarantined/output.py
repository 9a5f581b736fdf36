"""What the tool prints on stdout: lines for a person, one JSON document, or a body."""

import sys
from collections.abc import Iterable
from typing import Any

import orjson


def print_document(document: Any) -> None:  # noqa: ANN401 -- any JSON value
    """One document, ended by a line break."""
    print_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def print_bytes(content: bytes) -> None:
    """As they are, and nothing else."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def print_lines(lines: Iterable[str]) -> None:
    """A line each."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
