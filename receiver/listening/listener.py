"""`POST /usps/tracking` as a plain ASGI application: read, take in, answer."""

from receiver.judging.intake import Intake
from receiver.judging.refusals import RefusalLog
from receiver.judging.tallies import Tallies
from receiver.listening.answers import REFUSALS, Receive, Scope, Send, send_answer
from receiver.listening.body import ClientGone, discard_body, read_body
from receiver.listening.partings import Parting
from schemas.errors import CallbackRejected


class Listener:
    """Answers every callback, whatever it is, on any ASGI server."""

    def __init__(
        self, intake: Intake, tallies: Tallies, refusals: RefusalLog, max_body_bytes: int
    ) -> None:
        self.intake = intake
        self.max_body_bytes = max_body_bytes
        self._tallies = tallies
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        try:
            body = await read_body(receive, scope["headers"], self.max_body_bytes)
        except ClientGone:
            return
        except CallbackRejected as error:
            await self._refuse_early(error.reason, receive, send)
            return
        client = scope.get("client")
        answer = await self.intake.take(body, scope["headers"], client[0] if client else None)
        await send_answer(answer, send)

    def count_connections(self, opened: int) -> None:
        """So many more connections are open."""
        self._tallies.connections(opened)

    def note_parting(self, parting: Parting) -> None:
        """The server ended a connection, perhaps with an answer."""
        self._tallies.parted(parting.reason)
        self._refusals.note(parting.reason, None)
        if parting.answer is not None:
            self._tallies.refused_early(parting.answer.outcome)

    async def _refuse_early(self, slug: str, receive: Receive, send: Send) -> None:
        """Answers at once and reads the rest away, so that the client sees the answer."""
        self._tallies.refused_early(slug)
        self._refusals.note(slug, None)
        answer = REFUSALS[slug]
        await send(answer.start)
        await send({**answer.body, "more_body": True})
        await discard_body(receive)
        await send({"type": "http.response.body", "body": b""})
