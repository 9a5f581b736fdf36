"""What was set aside is judged again by what is in force now, as of when it was received."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from receiver.following.subscriptions import KnownSubscription
from receiver.judging.commissioning import Commissioning
from receiver.judging.judge import Judge
from receiver.publishing.door import OutgoingRecord
from receiver.quarantined.kept import Kept
from receiver.quarantined.resubmission import FixedTable, Resubmission, send_nothing
from schemas.settings import Settings
from schemas.topics import LARGE_RECORD_BYTES
from schemas.update import update_id
from schemas.usps.signature import SignatureScheme
from tests.receiver.quarantined.kept import set_aside
from tests.receiver.world import (
    PAYLOAD,
    SECRET,
    SUBSCRIPTION,
    SUBSCRIPTION_ID,
    TIMESTAMP,
    World,
    callback,
)

OTHER_SECRET = b"another-secret-fedcba9876543210x"
ITS_ID = update_id(SUBSCRIPTION_ID, TIMESTAMP, orjson.dumps(PAYLOAD).decode())
BOTH = replace(SUBSCRIPTION, secrets=(SECRET, OTHER_SECRET))


class Again:
    """A run of the tool, and what it published."""

    def __init__(
        self,
        table: Mapping[str, KnownSubscription],
        max_bytes: int = LARGE_RECORD_BYTES,
        **settings: str,
    ) -> None:
        world = World()
        judge = Judge(
            Settings.model_validate(settings),
            FixedTable(table),
            world.tallies,
            Commissioning(world.clock, world.metrics),
        )
        self.published: list[OutgoingRecord] = []
        self.run = Resubmission(judge, self._send, max_bytes, 100)

    async def _send(self, records: Sequence[OutgoingRecord]) -> None:
        self.published += records

    async def take(self, kept: Sequence[Kept]) -> dict[str, object]:
        """The counts after these."""
        await self.run.take(kept)
        document = self.run.document(dry_run=False)
        return {name: document[name] for name in ("looked_at", "published", "repeats", "left")}


async def test_after_the_secret_was_fixed_it_flows() -> None:
    """The update is the one that would have been: its id, its receipt, its original."""
    world, kept = await set_aside(callback(secret=OTHER_SECRET))
    again = Again({SUBSCRIPTION_ID: BOTH})
    done = await again.take(kept)
    assert done == {"looked_at": 1, "published": 1, "repeats": 0, "left": {}}
    [record] = again.published
    update = orjson.loads(record.value)
    assert record.topic == world.updates
    assert update["update_id"] == ITS_ID
    assert update["received_at"] == kept[0].quarantined.received_at
    assert dict(record.headers)["ce_id"] == ITS_ID.encode()


async def test_what_does_not_verify_is_left_and_told() -> None:
    """A signature that still does not fit, a subscription that is still unknown, no secret."""
    _, kept = await set_aside(
        callback(secret=OTHER_SECRET),
        callback(subscription_id="unknown"),
        callback(subscription_id="no-secret", secret=OTHER_SECRET),
        callback("no json"),
    )
    without = replace(SUBSCRIPTION, secrets=())
    again = Again({SUBSCRIPTION_ID: SUBSCRIPTION, "no-secret": without})
    done = await again.take(kept)
    reasons = (
        "signature_mismatch",
        "unknown_subscription",
        "secret_unavailable",
        "payload_unreadable",
    )
    assert done["left"] == dict.fromkeys(reasons, 1)
    assert not again.published
    told = again.run.document(dry_run=False)["records"]
    assert [(one["id"], one["reason"]) for one in told] == [
        (f"0-{number}", reason) for number, reason in enumerate(reasons)
    ]


async def test_a_subscription_declared_since_flows() -> None:
    """What came before its subscription was applied is published when it is known."""
    _, kept = await set_aside(callback(subscription_id="late"))
    done = await Again({"late": SUBSCRIPTION}).take(kept)
    assert done["published"] == 1


async def test_a_scheme_corrected_since_flows() -> None:
    """So does what the declared scheme did not fit."""
    body, headers = callback()
    elsewhere = [(b"x-usps-signature", headers[-1][1]), (b"x-usps-signature", headers[-1][1])]
    _, kept = await set_aside((body, elsewhere))
    scheme = SignatureScheme((b"x-usps-signature",))
    done = await Again({SUBSCRIPTION_ID: replace(SUBSCRIPTION, scheme=scheme)}).take(kept)
    assert done["published"] == 1


async def test_being_old_by_now_does_not_matter() -> None:
    """Where stale callbacks are refused, the receipt counts, not the day of the resubmission."""
    _, kept = await set_aside(
        callback(secret=OTHER_SECRET),
        callback(timestamp="2026-05-01T00:00:00Z"),
        timestamp_refuse_stale="true",
    )
    again = Again({SUBSCRIPTION_ID: BOTH}, timestamp_refuse_stale="true")
    done = await again.take(kept)
    assert (done["published"], done["left"]) == (1, {"timestamp_stale": 1})


async def test_the_same_callback_is_published_once_a_run() -> None:
    """USPS repeated it while the secret was wrong; one update is enough."""
    _, kept = await set_aside(*[callback(secret=OTHER_SECRET)] * 3)
    again = Again({SUBSCRIPTION_ID: BOTH})
    done = await again.take(kept[:2])
    done = await again.take(kept[2:])
    assert done == {"looked_at": 3, "published": 1, "repeats": 2, "left": {}}
    assert len(again.published) == 1


async def test_what_no_broker_takes_is_not_sent() -> None:
    """An update that is larger than the topic's records is left."""
    _, kept = await set_aside(callback(secret=OTHER_SECRET))
    again = Again({SUBSCRIPTION_ID: BOTH}, max_bytes=2_000)
    assert (await again.take(kept))["left"] == {"record_too_large": 1}


async def test_a_dry_run_publishes_nothing() -> None:
    """It says what would be published."""
    _, kept = await set_aside(callback(secret=OTHER_SECRET), callback(subscription_id="unknown"))
    again = Again({SUBSCRIPTION_ID: BOTH})
    again.run = Resubmission(again.run._judge, send_nothing, LARGE_RECORD_BYTES, 1)
    await again.run.take(kept)
    document = again.run.document(dry_run=True)
    assert (document["verified"], document["published"], document["left_off"]) == (1, 0, 1)
    lines = list(again.run.lines(dry_run=True))
    assert lines[0] == f"0-0  verified  {ITS_ID}"
    assert "1 more are left off" in lines[1]
    assert "1 would be published" in lines[2]
    assert "1 left where they are (1 unknown_subscription)" in lines[2]


async def test_a_second_run_adds_only_a_repeat() -> None:
    """Ids are stable: what is published again is the same update, to the byte."""
    _, kept = await set_aside(callback(secret=OTHER_SECRET))
    first, second = Again({SUBSCRIPTION_ID: BOTH}), Again({SUBSCRIPTION_ID: BOTH})
    await first.take(kept)
    await second.take(kept)
    assert first.published == second.published
