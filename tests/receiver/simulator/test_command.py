"""`scanwire-receiver simulate` as a process, with its APIs and without."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

from deploy.broker import free_port
from receiver.__main__ import build_parser
from receiver.simulator.apis.oddities import TEXTS
from receiver.simulator.retries import RETRY_SECONDS, Retries, parse_retries
from schemas.errors import OperatorError
from tests.receiver.simulator.apis.world import SECRET, TOKEN, Client, listening

REGISTRY = """
usps_accounts:
  - {id: main, environment: simulator, client_id: env:CLIENT, client_secret: env:CLIENT_SECRET,
     base_url: "http://127.0.0.1:1"}
mids:
  - {mid: "912345678", owner: acme}
  - {mid: "123456", owner: acme}
subscriptions:
  - {id: abc, name: one, account: main, mid: "912345678", secrets: ["env:SECRET"],
     listener_url: "https://hooks.example.com/usps/tracking"}
"""
ENVIRONMENT = {"CLIENT": "app", "CLIENT_SECRET": "its secret", "SECRET": SECRET}


@asynccontextmanager
async def simulating(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, running."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "receiver",
        "simulate",
        *arguments,
        env=os.environ | ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(*arguments: str) -> tuple[int | None, str, str]:
    """Exit code and output of a run that ends by itself."""
    async with simulating(*arguments) as process:
        output, errors = await process.communicate()
        return process.returncode, output.decode(), errors.decode()


async def test_a_run_of_some_packages_ends_with_its_record(tmp_path: Path) -> None:
    """All is told and answered: exit 0; the record names every package and callback."""
    registry, record = tmp_path / "registry.yaml", tmp_path / "record.jsonl"
    registry.write_text(REGISTRY, encoding="utf-8")
    async with listening() as listener:
        code, output, _ = await ended(
            *("--registry", str(registry), "--to", listener.url, "--packages", "5"),
            *("--rate", "500", "--faults", "none", "--prebuild", "10", "--record", str(record)),
        )
        sent = len(listener.requests)
    assert (code, output) == (0, f"{sent} callbacks of 5 packages: accepted {sent}\n")
    kinds = [orjson.loads(line)["kind"] for line in record.read_bytes().splitlines()]
    assert kinds.count("journey") == 5
    assert kinds.count("callback") == sent
    assert kinds[-1] == "summary"


async def until_served(session: aiohttp.ClientSession, url: str) -> None:
    """Waits for the APIs' port."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"{url}/usps.yaml") as response:
                    assert response.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


async def test_the_apis_are_served_until_a_signal(tmp_path: Path) -> None:
    """The registry's account, MIDs and subscription are there; SIGTERM ends with 0."""
    registry = tmp_path / "registry.yaml"
    registry.write_text(REGISTRY, encoding="utf-8")
    url = f"http://127.0.0.1:{(port := free_port(random.SystemRandom()))}"
    async with (
        listening() as listener,
        aiohttp.ClientSession() as session,
        simulating(
            *("--registry", str(registry), "--to", listener.url, "--serve", str(port)),
            *("--rate", "200", "--faults", "none", "--oddities", "all", "--calls-per-hour", "1000"),
        ) as process,
    ):
        await until_served(session, url)
        client = Client(session, url)
        asked = {"grant_type": "client_credentials", "client_id": "app"}
        token = await client.call("POST", TOKEN, asked | {"client_secret": "its secret"})
        client.token = token.body["access_token"]
        told = (await client.read("abc")).body
        assert told["listenerURL"] == "https://hooks.example.com/usps/tracking"
        assert (await client.subscribe("https://hooks.example.com/2", "123456")).status == 201
        while len({orjson.loads(body)["subscriptionId"] for _, body in listener.requests}) < 2:
            await listener.next()
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--registry"),
        (("--serve", "0", "--oddities", "some"), "stale-list"),
        (("--serve", "0", "--retries", "soon"), "1,2,4"),
        (("--serve", "0", "--retry-on", "200"), "no_answer"),
    ],
)
async def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], said: str) -> None:
    """Exit 1 and one sentence that says what to write, no traceback."""
    code, _, errors = await ended(*arguments)
    assert code == 1
    assert said in errors
    assert "Traceback" not in errors


def test_help_describes_every_oddity(capsys: pytest.CaptureFixture[str]) -> None:
    """`simulate --help` says what each does."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["simulate", "--help"])
    told = capsys.readouterr().out
    for oddity, text in TEXTS.items():
        assert oddity in told
        assert text in told


@pytest.mark.parametrize("wrong", ["x", "1:x", "65536", "host:", "-1"])
def test_wrong_addresses_are_usage_errors(wrong: str) -> None:
    """Exit 2."""
    with pytest.raises(SystemExit) as ending:
        build_parser().parse_args(["simulate", f"--serve={wrong}"])
    assert ending.value.code == 2


def test_retries_are_read_or_refused() -> None:
    """Delays and statuses, each by itself; what is neither is refused."""
    assert parse_retries(None, None) == Retries(RETRY_SECONDS, frozenset({0, 429, 503}))
    assert parse_retries("none", None).seconds == ()
    assert parse_retries("0.5,2", "500,no_answer") == Retries((0.5, 2.0), frozenset({0, 500}))
    for seconds, statuses in (("-1", None), ("1,", None), ("inf", None), (None, "200"), (None, "")):
        with pytest.raises(OperatorError, match="write"):
            parse_retries(seconds, statuses)
