"""What is done with a callback between its last byte and its answer (design, section 5)."""

from datetime import timedelta

import orjson

from receiver.answers import ACCEPTED, UNAVAILABLE
from receiver.producer import OutgoingRecord
from receiver.publish import Door
from receiver.quarantine import SOURCE, Quarantine, ReceivedRequest
from receiver.refusals import RefusalLog
from receiver.registry import RegistryView
from receiver.subscriptions import KnownSubscription, SubscriptionTable
from receiver.tallies import Tallies
from schemas.errors import CallbackRejected, PublishFailed, RecordRejected
from schemas.event import Channel
from schemas.headers import record_headers
from schemas.metrics import ReceiverMetrics
from schemas.records import CloudEventType, QuarantineReason
from schemas.settings import Settings
from schemas.update import update_id
from schemas.usps.callback import RawCallback, VerifiedCallback, parse_envelope, verify
from schemas.usps.normalize import Normalized, normalize
from schemas.usps.payload import read_payload
from schemas.usps.stamps import read_instant

_TYPE = CloudEventType.TRACKING_UPDATE.value


class Intake:
    """From a whole request to the slug of its answer."""

    def __init__(
        self,
        *,
        settings: Settings,
        registry: RegistryView,
        door: Door,
        quarantine: Quarantine,
        tallies: Tallies,
        metrics: ReceiverMetrics,
        refusals: RefusalLog,
    ) -> None:
        self._registry = registry
        self._door = door
        self._quarantine = quarantine
        self._tallies = tallies
        self._metrics = metrics
        self._refusals = refusals
        self._topic = settings.topics.tracking_updates
        self._max_age = timedelta(seconds=settings.timestamp_max_age_seconds)
        self._max_ahead = timedelta(seconds=settings.timestamp_max_ahead_seconds)
        self._refuse_stale = settings.timestamp_refuse_stale

    async def take(self, request: ReceivedRequest) -> str:
        """1. Envelope. 2. Subscription. 3. Signature. 4. Freshness. 5. Normalize. 6. Publish.

        Returns a slug of `receiver.answers`. For each 200 the broker has acknowledged a record.
        """
        table = self._registry.table
        if table is None:
            return UNAVAILABLE
        try:
            return await self._take(table, request)
        except CallbackRejected as error:
            self._refusals.note(error.reason, None)
            return error.reason
        except PublishFailed as error:
            self._refusals.note(error.reason, None)
            return UNAVAILABLE

    async def _take(self, table: SubscriptionTable, request: ReceivedRequest) -> str:
        callback = parse_envelope(request.body, request.headers)
        subscription = table.get(callback.subscription_id)
        if subscription is None:
            return await self._refuse(request, callback, None, "unknown_subscription")
        if not subscription.secrets:
            self._refusals.note("secret_unavailable", subscription.name)
            return UNAVAILABLE
        try:
            verified = verify(callback, subscription.secrets, subscription.scheme)
        except CallbackRejected as error:
            return await self._refuse(request, callback, subscription, error.reason)
        self._tallies.matched(subscription.name, verified.secret_index)
        if self._is_stale(callback, request):
            self._metrics.stale.inc()
            if self._refuse_stale:
                return await self._refuse(request, callback, subscription, "timestamp_stale")
        return await self._keep(verified, subscription, request)

    def _is_stale(self, callback: RawCallback, request: ReceivedRequest) -> bool:
        """Reported too long ago, too far in the future, or at a time that nobody can read."""
        found = read_instant(callback.timestamp)
        if found is None:
            return True
        age = request.received.replace(tzinfo=None) - found[0]
        return age > self._max_age or -age > self._max_ahead

    async def _refuse(
        self,
        request: ReceivedRequest,
        callback: RawCallback,
        subscription: KnownSubscription | None,
        slug: str,
    ) -> str:
        """Kept, if it is due, before it is answered: the sender may never repeat it."""
        name = None if subscription is None else subscription.name
        self._refusals.note(slug, name)
        await self._quarantine.refuse(
            request, QuarantineReason(slug), callback.subscription_id, known=name is not None
        )
        return slug

    async def _keep(
        self, verified: VerifiedCallback, subscription: KnownSubscription, request: ReceivedRequest
    ) -> str:
        """Published, or, if it cannot be used, quarantined."""
        callback = verified.callback
        its_id = update_id(callback.subscription_id, callback.timestamp, callback.payload)
        try:
            normalized = _normalized(callback, its_id, subscription, request)
            await self._door.publish(self._record(normalized, its_id, request))
        except RecordRejected as error:
            self._refusals.note(error.reason, subscription.name)
            await self._quarantine.accept(
                request, QuarantineReason(error.reason), callback.subscription_id, its_id
            )
            return error.reason
        self._tallies.published(normalized.categories, normalized.flags)
        return ACCEPTED

    def _record(
        self, normalized: Normalized, its_id: str, request: ReceivedRequest
    ) -> OutgoingRecord:
        number = normalized.tracking_number
        headers = record_headers(its_id, _TYPE, SOURCE, request.received_at, number)
        value = orjson.dumps(normalized.record)
        return OutgoingRecord(self._topic, number.encode(), value, headers)


def _normalized(
    callback: RawCallback, its_id: str, subscription: KnownSubscription, request: ReceivedRequest
) -> Normalized:
    payload, escaped_twice = read_payload(callback.payload)
    return normalize(
        payload,
        channel=Channel.WEBHOOK,
        update_id=its_id,
        subscription_id=callback.subscription_id,
        subscription_mid=subscription.mid,
        received_at=request.received_at,
        received=request.received,
        reported_at=callback.timestamp,
        original=callback.payload,
        escaped_twice=escaped_twice,
    )
