"""`POST /usps/tracking` as a plain ASGI application: read, take in, answer."""

import structlog

from receiver.answers import (
    ANSWERS,
    REFUSALS,
    UNAVAILABLE,
    Answer,
    Receive,
    Scope,
    Send,
    send_answer,
)
from receiver.body import ClientGone, discard_body, read_body
from receiver.intake import Intake
from receiver.quarantine import ReceivedRequest
from receiver.refusals import RefusalLog
from receiver.tallies import Tallies
from schemas.clock import Clock, rfc3339
from schemas.errors import CallbackRejected

log = structlog.get_logger(__name__)


class Listener:
    """Answers every callback, whatever it is."""

    def __init__(
        self,
        intake: Intake,
        tallies: Tallies,
        refusals: RefusalLog,
        clock: Clock,
        max_body_bytes: int,
    ) -> None:
        self._intake = intake
        self._tallies = tallies
        self._refusals = refusals
        self._clock = clock
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        try:
            body = await read_body(receive, scope["headers"], self._max_body_bytes)
        except ClientGone:
            return
        except CallbackRejected as error:
            await self._refuse_early(error.reason, receive, send)
            return
        began = self._clock.monotonic()
        answer = await self._answer(scope, body)
        self._tallies.answered(answer.outcome, self._clock.monotonic() - began)
        await send_answer(answer, send)

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        received = self._clock.now()
        client = scope.get("client")
        request = ReceivedRequest(
            body, scope["headers"], client[0] if client else None, received, rfc3339(received)
        )
        try:
            return ANSWERS[await self._intake.take(request)]
        except Exception:  # a bug of ours must not cost the callback: USPS repeats after a 503
            log.exception("callback_failed")
            return REFUSALS[UNAVAILABLE]

    async def _refuse_early(self, slug: str, receive: Receive, send: Send) -> None:
        """Answers at once and reads the rest away, so that the client sees the answer."""
        self._tallies.refused_early(slug)
        self._refusals.note(slug, None)
        answer = REFUSALS[slug]
        await send(answer.start)
        await send({**answer.body, "more_body": True})
        await discard_body(receive)
        await send({"type": "http.response.body", "body": b""})
