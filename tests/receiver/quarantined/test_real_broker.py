"""The whole story on a real Kafka: refused, the secret fixed, tried again, and flowing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import orjson
import pytest

from deploy.broker import LocalBroker
from receiver.program import Tools
from receiver.quarantined.kept import Position
from receiver.quarantined.work import Asked, list_kept, resubmit, show
from schemas.errors import OperatorError
from schemas.secrets import Secrets
from schemas.settings import Settings
from schemas.update import update_id
from tests.receiver.site import Site
from tests.receiver.world import PAYLOAD, SECRET, SUBSCRIPTION_ID, TIMESTAMP, callback

ITS_ID = update_id(SUBSCRIPTION_ID, TIMESTAMP, orjson.dumps(PAYLOAD).decode())
EVERYTHING = Asked()
LIMIT = 100


@pytest.fixture
async def site(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A receiver that has the wrong secret."""
    one = Site(broker, topic_prefix, tmp_path)
    one.secret_file.write_bytes(b"w" * 32)
    async with one:
        yield one


def tools_of(site: Site) -> Tools:
    """As `__main__` makes them."""
    secrets = Secrets(site.environ, lambda path: Path(path).read_text(encoding="utf-8"))
    environ = {name: value for name, value in site.environ.items() if "SCANWIRE_" in name}
    return Tools.of(Settings.from_environ(environ), secrets)


async def tried(site: Site, asked: Asked = EVERYTHING, *, dry_run: bool = False) -> dict[str, Any]:
    """`resubmit`."""
    done = await resubmit(tools_of(site), asked, LIMIT, dry_run=dry_run)
    return done.document(dry_run=dry_run)


async def command(site: Site, *arguments: str) -> "CompletedProcess[str]":
    """`scanwire-receiver quarantine …`."""
    return await asyncio.to_thread(site.command, "receiver", "quarantine", *arguments)


async def test_refused_fixed_resubmitted(site: Site) -> None:
    """What a wrong secret refused becomes the update that it should have been."""
    assert (await site.post(*callback())).json["error"] == "signature_mismatch"
    assert (await site.post(*callback(subscription_id="stranger"))).status == 401
    [mismatch] = [
        kept for kept in await site.quarantined() if kept["subscription_id"] != "stranger"
    ]

    listing = (await list_kept(tools_of(site), EVERYTHING, LIMIT)).document()
    assert listing["counts"] == {"signature_mismatch": 1, "unknown_subscription": 1}
    assert {told["subscription"] for told in listing["records"]} == {"acme-webhook", None}

    before = await tried(site)
    assert before["left"] == {"signature_mismatch": 1, "unknown_subscription": 1}

    site.secret_file.write_bytes(SECRET)
    dry = await tried(site, dry_run=True)
    assert (dry["verified"], dry["published"]) == (1, 0)
    assert await site.updates() == []

    done = await tried(site)
    assert (done["published"], done["left"]) == (1, {"unknown_subscription": 1})
    [update] = await site.updates()
    assert update["update_id"] == ITS_ID
    assert update["received_at"] == mismatch["received_at"]

    assert (await tried(site))["published"] == 1
    assert [again["update_id"] for again in await site.updates()] == [ITS_ID, ITS_ID]
    assert len(await site.quarantined()) == 2


async def test_the_command_line(site: Site) -> None:
    """One JSON document each; the body only on demand; what stays or is not there is exit 1."""
    body, headers = callback()
    await site.post(body, headers)
    listed = await command(site, "list", "--json", "--subscription", "acme-webhook")
    [told] = orjson.loads(listed.stdout)["records"]
    shown = await command(site, "show", told["id"])
    assert shown.returncode == 0
    assert "x-hmac: " in shown.stdout
    assert "trackingNumber" not in shown.stdout
    assert (await command(site, "show", told["id"], "--body")).stdout.encode() == body

    left = await command(site, "resubmit", told["id"], "--json")
    assert left.returncode == 1
    assert orjson.loads(left.stdout)["left"] == {"signature_mismatch": 1}
    assert "do not verify" in left.stderr
    assert "Traceback" not in left.stderr
    for nowhere in (Position(0, 10**9), Position(10**6, 0)):
        with pytest.raises(OperatorError, match="there is no such record"):
            await show(tools_of(site), nowhere)
        with pytest.raises(OperatorError, match="there is no such record"):
            await tried(site, Asked((nowhere,)))


async def test_without_topics(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> None:
    """Where nothing was set up the tool says what to run, and makes no topic."""
    site = Site(broker, topic_prefix, tmp_path)
    with pytest.raises(OperatorError, match="scanwire-processors topics"):
        await list_kept(tools_of(site), EVERYTHING, LIMIT)


async def test_without_a_broker(broker: LocalBroker, topic_prefix: str, tmp_path: Path) -> None:
    """A Kafka that does not answer is told as such."""
    site = Site(broker, topic_prefix, tmp_path)
    site.environ["SCANWIRE_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{site.port}"
    with pytest.raises(OperatorError, match="does not serve us"):
        await list_kept(tools_of(site), EVERYTHING, LIMIT)
