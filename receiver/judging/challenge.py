"""A challenge instead of a callback: whether a body is one, and its answer.

USPS's documents know none. One integration tells that USPS posts a JSON object with `challenge`
when a subscription is created, and wants it back; so it is answered where a setting says so.
"""

from typing import Final

import orjson
import structlog

from receiver.judging.line_limit import LineLimit
from receiver.listening.answers import CHALLENGE_ANSWERED, Answer, challenge_answer
from schemas.clock import Clock

log = structlog.get_logger(__name__)
MAX_CHARACTERS: Final = 256
LINES_PER_MINUTE: Final = 10


def read_challenge(body: bytes) -> str | None:
    """The challenge of a body that is JSON: at most 256 printable ASCII characters, else None.

    A body with `payload` is a callback, whatever else it has.
    """
    document = orjson.loads(body)
    if type(document) is not dict or "payload" in document:
        return None
    challenge = document.get("challenge")
    if type(challenge) is not str or len(challenge) > MAX_CHARACTERS:
        return None
    return challenge if challenge.isascii() and challenge.isprintable() else None


class Challenges:
    """Answers and logs them; the answer's outcome counts them."""

    def __init__(self, clock: Clock) -> None:
        self._limit = LineLimit(clock, LINES_PER_MINUTE)

    def answer(self, challenge: str) -> Answer:
        """200 with the same text, and nothing else."""
        left_out = self._limit.take(CHALLENGE_ANSWERED)
        if left_out is not None:
            log.info("challenge_answered", characters=len(challenge), left_out=left_out)
        return challenge_answer(challenge)
