"""What both kinds of run share: ports, broker, registry, programs, and their end in order."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from deploy.demo.cluster import BOOTSTRAP, Cluster, ensure_merchant_topics
from deploy.demo.layout import EXAMPLE_REGISTRY, Layout
from deploy.demo.metrics import Reading, Watcher
from deploy.demo.ports import taken
from deploy.demo.processes import DemoError, run_to_end
from deploy.demo.programs import Programs, environment_of
from deploy.demo.registry import DemoRegistry, prepare_registry, refuse_to_replace
from deploy.demo.screen import Screen
from deploy.demo.secrets import ensure_secrets, variables_of
from deploy.demo.troupe import Troupe
from schemas.kafka import KafkaOptions
from schemas.secrets import Secrets
from schemas.settings import PREFIX, Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """A running demo without its simulator."""

    layout: Layout
    settings: Settings
    kafka: KafkaOptions
    cluster: Cluster
    registry: DemoRegistry
    secrets: Secrets
    programs: Programs
    troupe: Troupe
    watcher: Watcher
    screen: Screen

    async def look(self) -> Reading:
        """Shows how things are. Raises `BrokerError` if the broker has ended."""
        self.cluster.raise_if_ended()
        reading = await self.watcher.read()
        self.screen.show(reading)
        return reading


@asynccontextmanager
async def staged(
    layout: Layout, topic_prefix: str | None, screen: Screen, asked: asyncio.Event
) -> AsyncIterator[Stage]:
    """Sets everything up, and takes it down in order whatever happens.

    Raises `DemoError` or `BrokerError` with what to do, `Stopped` when asked to end.
    """
    cluster = Cluster(layout, os.environ, screen.say)
    settings = _settings(os.environ, cluster, topic_prefix)
    _check_ports(layout, cluster)
    try:
        screen.say(f"Kafka at {cluster.bootstrap_servers}: starting or finding it …")
        await cluster.start()
        async with aiohttp.ClientSession() as session:
            stage = _stage(layout, settings, screen, asked, cluster, session=session)
            try:
                await _raise_curtain(stage)
                yield stage
            finally:
                screen.end()
                await stage.troupe.stop(screen.say)
    finally:
        await cluster.stop()


def _check_ports(layout: Layout, cluster: Cluster) -> None:
    problems = taken(layout.ports, own_kafka=cluster.to_start)
    if problems:
        raise DemoError("\n".join(map(str, problems)))


def _stage(
    layout: Layout,
    settings: Settings,
    screen: Screen,
    asked: asyncio.Event,
    cluster: Cluster,
    *,
    session: aiohttp.ClientSession,
) -> Stage:
    values = ensure_secrets(
        layout.secrets, variables_of(EXAMPLE_REGISTRY.read_text(encoding="utf-8"))
    )
    registry = prepare_registry(layout, settings)
    environment = environment_of(
        layout, settings.kafka_bootstrap_servers, settings.topic_prefix, values
    )
    secrets = Secrets({**os.environ, **values}, lambda path: Path(path).read_text("utf-8"))
    programs = Programs(layout, registry, environment)
    watcher = Watcher(layout.ports, session)
    return Stage(
        layout,
        settings,
        KafkaOptions.of(settings, secrets),
        cluster,
        registry,
        secrets,
        programs,
        Troupe(programs, watcher, asked),
        watcher,
        screen,
    )


def _settings(environ: Mapping[str, str], cluster: Cluster, topic_prefix: str | None) -> Settings:
    """The user's, on this run's cluster. Raises `SettingsRefused`."""
    given = {**environ, BOOTSTRAP: cluster.bootstrap_servers}
    if topic_prefix is not None:
        given[f"{PREFIX}TOPIC_PREFIX"] = topic_prefix
    return Settings.from_environ(given)


async def _raise_curtain(stage: Stage) -> None:
    """Topics and registry first: programs wait for both."""
    say, troupe = stage.screen.say, stage.troupe
    await troupe.unless_ended(refuse_to_replace(stage.registry, stage.kafka))
    say(f"Registry: applying {stage.registry.path}")
    await troupe.unless_ended(run_to_end(stage.programs.apply()))
    await troupe.unless_ended(
        ensure_merchant_topics(stage.kafka, stage.registry.kafka_topics.values())
    )
    say("Programs: starting receiver, packages, router, sinks and the merchants")
    await troupe.start(say)
