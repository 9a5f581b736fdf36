"""`scanwire-processors ledger`: proves that nothing was dropped, or names what is missing."""

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer

from processors.administration import administration
from processors.commands.output import print_json, print_lines
from processors.ledger.books import Books, Id, id_of
from processors.ledger.draw_up import Bookkeeper
from processors.ledger.equations import Equation, equations_of, still_wrong
from processors.ledger.fold import Range
from processors.ledger.positions import partitions_of
from processors.ledger.read import READER_OPTIONS
from processors.ledger.statement import document, lines
from processors.program import Tools
from schemas.clock import rfc3339
from schemas.errors import OperatorError
from schemas.follow import RegistryFollower
from schemas.registry.log import RegistryLog

EXIT_UNBALANCED: Final = 1
# Between two drawings-up, when the first does not balance: a commit may have come in between.
_SECOND_LOOK_SECONDS: Final = 2.0


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse keeps the type to itself
    """Adds `ledger`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "ledger",
        help="prove from the topics that nothing was dropped",
        description="Exit 0: every equation holds, with what is in flight. Exit 1: it says "
        "which does not, and the ids.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--since", type=_instant, metavar="TIME", help="by receipt, inclusive")
    parser.add_argument("--until", type=_instant, metavar="TIME", help="by receipt, exclusive")
    parser.add_argument(
        "--answered",
        type=Path,
        metavar="FILE",
        help="JSON Lines with update_id and status of callbacks, as `simulate --record` writes: "
        "those with status 200 must be found",
    )
    parser.set_defaults(run=run)


def _instant(text: str) -> str:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("write a time, e.g. 2026-04-01T00:00:00Z") from None
    return rfc3339(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def run(arguments: argparse.Namespace, tools: Tools) -> int:
    """Draws up the ledger and prints it."""
    answered = _answered(arguments.answered) if arguments.answered is not None else None
    asked = Range(arguments.since, arguments.until)
    statement = asyncio.run(_draw_up(tools, asked, answered))
    if arguments.json:
        print_json(statement)
    else:
        print_lines(lines(statement))
    return 0 if statement["balanced"] else EXIT_UNBALANCED


def _answered(path: Path) -> set[Id]:
    """The update ids of callbacks answered 200. Raises `OperatorError`."""
    try:
        return set(_read_answered(path))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise OperatorError(
            "answered_unreadable",
            f"--answered {path}: cannot be read as JSON Lines ({type(error).__name__})",
        ) from None


def _read_answered(path: Path) -> Iterator[Id]:
    with path.open("rb") as lines_of_file:
        for line in lines_of_file:
            entry = orjson.loads(line)
            if entry.get("status") == 200 and entry.get("update_id"):  # noqa: PLR2004 -- HTTP OK
                yield id_of(entry["update_id"])


async def _draw_up(tools: Tools, asked: Range, answered: set[Id] | None) -> dict[str, Any]:
    names = tools.settings.topics
    async with administration(tools.kafka) as admin:
        await partitions_of(admin, [names.registry, names.observed])
        reader = AIOKafkaConsumer(**{**tools.kafka.reader(), **READER_OPTIONS})
        await reader.start()
        try:
            registry_log = RegistryLog()
            await RegistryFollower(reader, names, registry_log).catch_up()
            keeper = Bookkeeper(admin, reader, tools.kafka, registry_log)
            equations, books, period = await _balance(keeper, tools, asked, answered)
        finally:
            await reader.stop()
    return document(equations, books, period, names.prefix, tools.clock.now())


async def _balance(
    keeper: Bookkeeper, tools: Tools, asked: Range, answered: set[Id] | None
) -> tuple[list[Equation], Books, Range]:
    """Looks twice before it says that something is missing."""

    async def look() -> tuple[list[Equation], Books, Range]:
        books, period = await keeper.draw_up(asked, tools.clock.now())
        books.answered = answered
        return equations_of(books), books, period

    first, books, period = await look()
    if all(equation.holds for equation in first):
        return first, books, period
    await asyncio.sleep(_SECOND_LOOK_SECONDS)
    second, books, period = await look()
    return list(still_wrong(first, second)), books, period
