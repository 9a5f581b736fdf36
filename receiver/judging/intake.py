"""A whole request in, its answer out: judged, then made durable, then answered."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from receiver.judging.challenge import Challenges
from receiver.judging.judge import (
    Challenged,
    Declined,
    Judge,
    Judged,
    Publishable,
    SetAside,
    Verdict,
)
from receiver.judging.quarantine import Headers, Quarantine, ReceivedRequest
from receiver.judging.refusals import RefusalLog
from receiver.judging.tallies import Tallies
from receiver.listening.answers import ACCEPTED, ANSWERS, UNAVAILABLE, Answer
from receiver.publishing.door import Door, Outcome, publish
from schemas.clock import Clock, rfc3339
from schemas.errors import PublishFailed, RecordRejected
from schemas.records import QuarantineReason

log = structlog.get_logger(__name__)
Respond = Callable[[Answer], None]


class Intake:
    """Takes callbacks in; for each 200 a record is durable."""

    def __init__(
        self,
        *,
        judge: Judge,
        door: Door,
        quarantine: Quarantine,
        tallies: Tallies,
        refusals: RefusalLog,
        clock: Clock,
    ) -> None:
        self._challenges = Challenges(clock)
        self._judge = judge
        self._door = door
        self._quarantine = quarantine
        self._tallies = tallies
        self._refusals = refusals
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, body: bytes, headers: Headers, remote_address: str | None) -> Answer:
        """The answer, when it is due."""
        began = self._clock.monotonic()
        request = self._request(body, headers, remote_address)
        answer = await self._answer(self._verdict(request), request)
        self._tallies.answered(answer.outcome, self._clock.monotonic() - began)
        return answer

    def take_now(
        self, body: bytes, headers: Headers, remote_address: str | None, respond: Respond
    ) -> None:
        """The same without a task for what is accepted, which is nearly all.

        Calls `respond` with the answer, later, in the loop.
        """
        began = self._clock.monotonic()
        request = self._request(body, headers, remote_address)
        verdict = self._verdict(request)
        if type(verdict) is Publishable:
            try:
                waiter = self._door.submit(verdict.record)
            except (PublishFailed, RecordRejected):
                pass  # told again, and answered, by the thorough way
            else:
                waiter.add_done_callback(partial(self._written, verdict, request, began, respond))
                return
        self._finish_later(verdict, request, began, respond)

    def _written(
        self,
        verdict: Publishable,
        request: ReceivedRequest,
        began: float,
        respond: Respond,
        waiter: "asyncio.Future[Outcome]",
    ) -> None:
        if waiter.result() is Outcome.WRITTEN:
            self._tallies.published(verdict.categories, verdict.flags)
            self._tallies.answered(ACCEPTED, self._clock.monotonic() - began)
            respond(ANSWERS[ACCEPTED])
        else:
            self._finish_later(_instead(verdict, waiter.result()), request, began, respond)

    def _finish_later(
        self, verdict: Verdict, request: ReceivedRequest, began: float, respond: Respond
    ) -> None:
        task = asyncio.create_task(self._finish_and_respond(verdict, request, began, respond))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_and_respond(
        self, verdict: Verdict, request: ReceivedRequest, began: float, respond: Respond
    ) -> None:
        answer = await self._answer(verdict, request)
        self._tallies.answered(answer.outcome, self._clock.monotonic() - began)
        respond(answer)

    def _request(
        self, body: bytes, headers: Headers, remote_address: str | None
    ) -> ReceivedRequest:
        received = self._clock.now()
        return ReceivedRequest(body, headers, remote_address, received, rfc3339(received))

    def _verdict(self, request: ReceivedRequest) -> Verdict:
        try:
            return self._judge.judge(request)
        except Exception:  # a bug of ours must not cost the callback: USPS repeats after a 503
            log.exception("callback_failed")
            return Declined(UNAVAILABLE, None, "callback_failed")

    async def _answer(self, verdict: Verdict, request: ReceivedRequest) -> Answer:
        if isinstance(verdict, Challenged):
            return self._challenges.answer(verdict.challenge)
        return ANSWERS[await self._finish(verdict, request)]

    async def _finish(self, verdict: Judged, request: ReceivedRequest) -> str:
        """Makes durable what the verdict says, and gives the slug of the answer."""
        try:
            if isinstance(verdict, Publishable):
                verdict = await self._publish(verdict)
            if isinstance(verdict, SetAside):
                return await self._set_aside(verdict, request)
        except PublishFailed as error:
            verdict = Declined(UNAVAILABLE, None, error.reason)
        if isinstance(verdict, Declined):
            self._refusals.note(verdict.cause, verdict.subscription)
            return verdict.slug
        self._tallies.published(verdict.categories, verdict.flags)
        return ACCEPTED

    async def _publish(self, verdict: Publishable) -> Judged:
        """Raises `PublishFailed`."""
        try:
            await publish(self._door, verdict.record)
        except RecordRejected:
            return _instead(verdict, Outcome.TOO_LARGE)
        return verdict

    async def _set_aside(self, verdict: SetAside, request: ReceivedRequest) -> str:
        """Kept before it is answered: the sender may never repeat it. Raises `PublishFailed`."""
        self._refusals.note(verdict.reason.value, verdict.subscription)
        if verdict.update_id is None:
            await self._quarantine.refuse(
                request,
                verdict.reason,
                verdict.subscription_id,
                known=verdict.subscription is not None,
            )
        else:
            await self._quarantine.accept(
                request, verdict.reason, verdict.subscription_id, verdict.update_id
            )
        return verdict.reason.value


def _instead(verdict: Publishable, outcome: Outcome) -> Judged:
    """What becomes of a callback whose record was not written."""
    if outcome is Outcome.TOO_LARGE:
        reason = QuarantineReason.RECORD_TOO_LARGE
        return SetAside(reason, verdict.subscription, verdict.subscription_id, verdict.update_id)
    return Declined(UNAVAILABLE, verdict.subscription, "not_acknowledged")
