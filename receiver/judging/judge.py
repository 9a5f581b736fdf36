"""What becomes of a callback, decided without any I/O: steps 1 to 5 of design section 5."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from receiver.following.subscriptions import KnownSubscription, SubscriptionTable
from receiver.judging.challenge import read_challenge
from receiver.judging.commissioning import Commissioning
from receiver.judging.quarantine import ReceivedRequest
from receiver.judging.tallies import Tallies
from receiver.listening.answers import UNAVAILABLE
from receiver.publishing.door import OutgoingRecord
from receiver.publishing.updates import update_record
from schemas.errors import CallbackRejected, RecordRejected
from schemas.event import Channel
from schemas.records import QuarantineReason
from schemas.settings import Settings
from schemas.update import update_id
from schemas.usps.callback import RawCallback, parse_envelope, verify
from schemas.usps.flat_body import parse_flat_body, read_legacy_payload
from schemas.usps.normalize import normalize
from schemas.usps.payload import read_payload
from schemas.usps.stamps import read_instant

NOT_AN_ENVELOPE: Final = "not_an_envelope"


class Publishable(NamedTuple):
    """Answered 200 once the record is durable."""

    record: OutgoingRecord
    subscription: str
    subscription_id: str
    update_id: str
    categories: tuple[str, ...]
    flags: tuple[str, ...]


class SetAside(NamedTuple):
    """Answered with the slug of its reason once it is in quarantine.

    `subscription` None: unknown. `update_id`: only of a verified callback, answered 200.
    """

    reason: QuarantineReason
    subscription: str | None
    subscription_id: str
    update_id: str | None


class Declined(NamedTuple):
    """Answered with an error; nothing is kept. `cause` is for the log."""

    slug: str
    subscription: str | None
    cause: str


class Challenged(NamedTuple):
    """Answered with the same text; nothing is kept."""

    challenge: str


Judged = Publishable | SetAside | Declined
Verdict = Judged | Challenged


class Subscriptions(Protocol):
    """Where callbacks are looked up."""

    @property
    def table(self) -> SubscriptionTable | None:
        """By USPS's id; None while nothing is known."""


class Judge:
    """Envelope, subscription, signature, freshness, normalization, in this order."""

    def __init__(
        self,
        settings: Settings,
        registry: Subscriptions,
        tallies: Tallies,
        commissioning: Commissioning,
    ) -> None:
        self._registry = registry
        self._tallies = tallies
        self._commissioning = commissioning
        self._answer_challenges = settings.answer_challenges
        self._topic = settings.topics.tracking_updates
        self._max_age = timedelta(seconds=settings.timestamp_max_age_seconds)
        self._max_ahead = timedelta(seconds=settings.timestamp_max_ahead_seconds)
        self._refuse_stale = settings.timestamp_refuse_stale

    def judge(self, request: ReceivedRequest) -> Verdict:
        """The verdict, whatever the request holds."""
        table = self._registry.table
        if table is None:
            return Declined(UNAVAILABLE, None, "registry_not_read")
        try:
            callback = parse_envelope(request.body, request.headers)
        except CallbackRejected as error:
            if error.reason == NOT_AN_ENVELOPE:
                return self._judge_other(request, table)
            return Declined(error.reason, None, error.reason)
        subscription = table.get(callback.subscription_id)
        if subscription is None:
            reason = QuarantineReason.UNKNOWN_SUBSCRIPTION
            return SetAside(reason, None, callback.subscription_id, None)
        return self._judge_known(callback, subscription, request)

    def _judge_other(self, request: ReceivedRequest, table: SubscriptionTable) -> Verdict:
        """JSON that is no envelope: a challenge, or a body that a legacy subscription may send."""
        if self._answer_challenges:
            challenge = read_challenge(request.body)
            if challenge is not None:
                return Challenged(challenge)
        callback = parse_flat_body(request.body, request.headers)
        subscription = None if callback is None else table.get(callback.subscription_id)
        if callback is None or subscription is None or not subscription.legacy:
            return Declined(NOT_AN_ENVELOPE, None, NOT_AN_ENVELOPE)
        return self._judge_known(callback, subscription, request)

    def _judge_known(
        self, callback: RawCallback, subscription: KnownSubscription, request: ReceivedRequest
    ) -> Judged:
        if not subscription.secrets:
            return Declined(UNAVAILABLE, subscription.name, "secret_unavailable")
        name, subscription_id = subscription.name, callback.subscription_id
        try:
            verified = verify(callback, subscription.secrets, subscription.scheme)
        except CallbackRejected as error:
            self._commissioning.look(callback, subscription)
            return SetAside(QuarantineReason(error.reason), name, subscription_id, None)
        self._tallies.matched(subscription, verified.secret_index, request.received)
        self._tallies.heard(name, request.received)
        if self._is_stale(callback, request.received):
            self._tallies.stale()
            if self._refuse_stale:
                reason = QuarantineReason.TIMESTAMP_STALE
                return SetAside(reason, name, subscription_id, None)
        its_id = update_id(subscription_id, callback.timestamp, callback.payload)
        try:
            return self._publishable(verified.callback, its_id, subscription, request)
        except RecordRejected as error:
            return SetAside(QuarantineReason(error.reason), name, subscription_id, its_id)

    def _is_stale(self, callback: RawCallback, received: datetime) -> bool:
        """Reported too long ago, too far in the future, or at a time that nobody can read.

        A flat body need not have a timestamp; the ids of its events make a repeat harmless.
        """
        timestamp = callback.timestamp
        if callback.flat and not timestamp:
            return False
        try:
            reported = datetime.fromisoformat(timestamp)
            age = received - reported
        except (ValueError, TypeError):  # another form than the usual one, or without zone
            found = read_instant(timestamp)
            if found is None:
                return True
            age = received - found[0].replace(tzinfo=UTC)
        return age > self._max_age or -age > self._max_ahead

    def _publishable(
        self,
        callback: RawCallback,
        its_id: str,
        subscription: KnownSubscription,
        request: ReceivedRequest,
    ) -> Publishable:
        """Raises `RecordRejected`."""
        if subscription.legacy:
            payload, escaped_twice = read_legacy_payload(callback)
        else:
            payload, escaped_twice = read_payload(callback.payload)
        normalized = normalize(
            payload,
            channel=Channel.WEBHOOK,
            update_id=its_id,
            subscription_id=callback.subscription_id,
            subscription_mid=subscription.mid,
            received_at=request.received_at,
            received=request.received,
            reported_at=callback.timestamp or None,
            original=callback.payload,
            escaped_twice=escaped_twice,
        )
        return Publishable(
            update_record(self._topic, normalized),
            subscription.name,
            callback.subscription_id,
            its_id,
            normalized.categories,
            normalized.flags,
        )
