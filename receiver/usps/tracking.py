"""Tracking API v3r2: up to 35 numbers a call, and what became of each of them.

USPS's document (3.2.2) has `POST /tracking` with an array, and for answers 200 with an array or
207 with an array of mixed ones. What fails as a whole does not say which number it was about:
such a batch is halved until a number stands alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from receiver.usps.error_bodies import read_error_document
from receiver.usps.errors import UspsRefused, UspsUnavailable
from receiver.usps.http import UspsHttp
from receiver.usps.refusal import is_for_later
from schemas.identifiers import normalize_tracking_number

MAX_NUMBERS: Final = 35
_EXPECTED: Final = frozenset({200, 207})
_OK: Final = "200"
_NOT_FOUND: Final = "404"
# What a call answers as a whole although it may be about one number only.
_ABOUT_NUMBERS: Final = frozenset({400, 403, 404})
_ASKABLE: Final = re.compile(r"[A-Za-z0-9]{4,34}")
# USPS's error list of 2025-10: no update yet, or too new; the rest is for good.
_LATER_CODES: Final = frozenset({"150001", "150002", "150003", "150009"})


class LookupOutcome(StrEnum):
    """What became of one number."""

    FOUND = "found"
    UNKNOWN = "unknown"
    LATER = "later"
    REFUSED = "refused"  # no right to it, until the authorization at USPS changes
    INVALID = "invalid"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class LookupAnswer:
    """The answer for one number as it was asked for.

    `documents`: of a found one; a number that was used again may have several. Each is the
    JSON object of a piece, without the status that the batch put into it.
    """

    tracking_number: str
    outcome: LookupOutcome
    documents: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def is_askable(tracking_number: str) -> bool:
    """Whether USPS's document allows the number: 4 to 34 letters and digits."""
    return _ASKABLE.fullmatch(tracking_number) is not None


class TrackingApi:
    """Looks numbers up."""

    def __init__(self, http: UspsHttp) -> None:
        self._http = http

    async def look_up(self, numbers: Sequence[str]) -> list[LookupAnswer]:
        """An answer for each of up to 35 askable numbers, each once, in no order.

        Raises:
            UspsUnavailable: it did not work out now.
            UspsRefused: the call itself is refused (credentials, scope).
        """
        try:
            response = await self._http.request(
                "POST",
                "/tracking",
                api="tracking",
                json=[{"trackingNumber": number} for number in numbers],
                expected=_EXPECTED,
                idempotent=True,
            )
        except UspsRefused as error:
            if error.status not in _ABOUT_NUMBERS:
                raise
            return await self._refused_whole(numbers, error)
        try:
            return read_answers(numbers, response.json())
        except UspsUnavailable:
            return [LookupAnswer(number, LookupOutcome.UNREADABLE) for number in numbers]

    async def _refused_whole(
        self, numbers: Sequence[str], error: UspsRefused
    ) -> list[LookupAnswer]:
        if len(numbers) == 1:
            return [LookupAnswer(numbers[0], _outcome(str(error.status), error.codes))]
        answers: list[LookupAnswer] = []
        for part in parts_of(numbers, error.said.get_secret_value()):
            answers += await self.look_up(part)
        return answers


def parts_of(numbers: Sequence[str], said: str) -> Iterator[Sequence[str]]:
    """Two parts of a refused batch: those that USPS names and the others, else two halves.

    A refusal often repeats the number it is about; a call of the quota is worth looking.
    """
    named = [number for number in numbers if number in said]
    others = [number for number in numbers if number not in said]
    if named and others:
        yield named
        yield others
        return
    half = len(numbers) // 2
    yield numbers[:half]
    yield numbers[half:]


def read_answers(numbers: Sequence[str], document: object) -> list[LookupAnswer]:
    """The answers of a 200 or 207, whatever the JSON value is.

    A number that it leaves out is unreadable: asking again may help.
    """
    entries = document if isinstance(document, list) else [document]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        if isinstance(entry, Mapping):
            number = entry.get("trackingNumber")
            # The only answer to a single number needs no name.
            if not isinstance(number, str) and len(numbers) == len(entries) == 1:
                number = numbers[0]
            if isinstance(number, str):
                found.setdefault(_key(number), []).append(entry)
    return [_read_one(number, found.get(_key(number), [])) for number in numbers]


def _read_one(number: str, entries: Sequence[Mapping[str, Any]]) -> LookupAnswer:
    documents = []
    outcomes = []
    for entry in entries:
        outcome = _outcome_of(entry)
        outcomes.append(outcome)
        if outcome is LookupOutcome.FOUND:
            stated = entry.get("trackingNumber")
            named = {**entry, "trackingNumber": stated if isinstance(stated, str) else number}
            named.pop("statusCode", None)
            documents.append(named)
    if documents:
        return LookupAnswer(number, LookupOutcome.FOUND, tuple(documents))
    return LookupAnswer(number, outcomes[0] if outcomes else LookupOutcome.UNREADABLE)


def _outcome_of(entry: Mapping[str, Any]) -> LookupOutcome:
    """A failed one has an error; its statusCode is 404 where it has none."""
    failed = "error" in entry
    stated = entry.get("statusCode")
    status = str(stated) if isinstance(stated, str | int) else (_NOT_FOUND if failed else _OK)
    if status == _OK and not failed:
        return LookupOutcome.FOUND
    codes = read_error_document(entry).codes
    if status == _OK:
        status = next((code for code in codes if len(code) == len(_OK)), _NOT_FOUND)
    return _outcome(status, codes)


def _outcome(status: str, codes: Sequence[str]) -> LookupOutcome:
    if not _LATER_CODES.isdisjoint(codes):
        return LookupOutcome.LATER
    if status == "403":
        return LookupOutcome.REFUSED
    if status == _NOT_FOUND:
        return LookupOutcome.UNKNOWN
    if status.isascii() and status.isdigit() and is_for_later(int(status[:4])):
        return LookupOutcome.LATER
    return LookupOutcome.INVALID if status == "400" else LookupOutcome.UNREADABLE


def _key(number: str) -> str:
    """USPS prints numbers with blanks and routing ZIPs at times; ours are in key form."""
    return normalize_tracking_number(number).value
