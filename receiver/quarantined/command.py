"""`scanwire-receiver quarantine list|show|resubmit`."""

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from receiver.program import Tools
from receiver.quarantined.kept import Position
from receiver.quarantined.listing import detail_lines
from receiver.quarantined.output import print_bytes, print_document, print_lines
from receiver.quarantined.work import Asked, list_kept, resubmit, show
from schemas.errors import OperatorError
from schemas.records import QuarantineReason
from schemas.secrets import Secrets
from schemas.settings import Settings

_DEFAULT_LIMIT: Final = 1_000
Verb = Callable[[argparse.Namespace, Tools], int]


def add_to(commands: Any) -> None:  # noqa: ANN401 -- argparse keeps the type to itself
    """Adds `quarantine` and its verbs."""
    quarantine = commands.add_parser("quarantine", help="requests that were set aside, and why")
    verbs = quarantine.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_list(verbs)
    _add_show(verbs)
    _add_resubmit(verbs)


def _add_list(verbs: Any) -> None:  # noqa: ANN401 -- see above
    parser = verbs.add_parser(
        "list",
        help="what is there, and how many by reason",
        description="One line per request, oldest first; never a body or a header. An id is "
        "PARTITION-OFFSET in the quarantine topic.",
    )
    _add_filters(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    _set_run(parser, _list)


def _add_show(verbs: Any) -> None:  # noqa: ANN401 -- see above
    parser = verbs.add_parser("show", help="one request, with its headers")
    parser.add_argument("id", type=_position, metavar="ID")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document, without the body")
    form.add_argument(
        "--body",
        action="store_true",
        help="only the body, as it came; it may hold names and addresses of recipients",
    )
    _set_run(parser, _show)


def _add_resubmit(verbs: Any) -> None:  # noqa: ANN401 -- see above
    parser = verbs.add_parser(
        "resubmit",
        help="verify again, and publish what verifies now",
        description="Judges requests by the registry and secrets of now, as of when they were "
        "received. What verifies is published under its usual id, so doing it twice does no "
        "harm; what does not stays, and why is told. Without ID and filters: everything. Exit 1 "
        "if an ID that is named stays.",
    )
    parser.add_argument("ids", type=_position, nargs="*", metavar="ID")
    _add_filters(parser)
    parser.add_argument("--dry-run", action="store_true", help="only tell; publish nothing")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    _set_run(parser, _resubmit)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    reasons = [reason.value for reason in QuarantineReason]
    parser.add_argument(
        "--reason", action="append", choices=reasons, help="only of this reason; repeatable"
    )
    parser.add_argument(
        "--subscription",
        action="append",
        metavar="NAME",
        help="only of this one, by our name or USPS's id; repeatable",
    )
    parser.add_argument("--since", type=_instant, metavar="TIME", help="by receipt, inclusive")
    parser.add_argument("--until", type=_instant, metavar="TIME", help="by receipt, exclusive")
    parser.add_argument(
        "--limit",
        type=_limit,
        default=_DEFAULT_LIMIT,
        metavar="N",
        help=f"tell of so many one by one ({_DEFAULT_LIMIT}); all are counted",
    )


def _set_run(parser: argparse.ArgumentParser, verb: Verb) -> None:
    parser.set_defaults(run=partial(_run, verb))


def _run(verb: Verb, arguments: argparse.Namespace, settings: Settings, secrets: Secrets) -> int:
    return verb(arguments, Tools.of(settings, secrets))


def _list(arguments: argparse.Namespace, tools: Tools) -> int:
    listing = asyncio.run(list_kept(tools, _asked(arguments), arguments.limit))
    if arguments.json:
        print_document(listing.document())
    else:
        print_lines(listing.lines())
    return 0


def _show(arguments: argparse.Namespace, tools: Tools) -> int:
    kept, told = asyncio.run(show(tools, arguments.id))
    if arguments.body:
        print_bytes(kept.request.body)
    elif arguments.json:
        print_document(told)
    else:
        print_lines(detail_lines(told))
    return 0


def _resubmit(arguments: argparse.Namespace, tools: Tools) -> int:
    asked, dry_run = _asked(arguments), arguments.dry_run
    done = asyncio.run(resubmit(tools, asked, arguments.limit, dry_run=dry_run))
    if arguments.json:
        print_document(done.document(dry_run=dry_run))
    else:
        print_lines(done.lines(dry_run=dry_run))
    if asked.positions and done.left:
        raise OperatorError(
            "left_in_quarantine",
            f"{done.left.total()} of the requests that were named do not verify and stay",
        )
    return 0


def _asked(arguments: argparse.Namespace) -> Asked:
    return Asked(
        tuple(getattr(arguments, "ids", ())),
        frozenset(map(QuarantineReason, arguments.reason or ())),
        tuple(arguments.subscription or ()),
        arguments.since,
        arguments.until,
    )


def _position(text: str) -> Position:
    try:
        return Position.of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("write a time, e.g. 2026-04-01T00:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
