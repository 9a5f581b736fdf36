"""`make run`: everything runs, at a steady rate, until Ctrl-C."""

import asyncio
from typing import Final

from deploy.demo.layout import Layout
from deploy.demo.programs import Load
from deploy.demo.screen import Place, Screen
from deploy.demo.stage import Stage, staged
from deploy.demo.troupe import Stopped

_LOOK_EVERY_SECONDS: Final = 1.0


async def serve(layout: Layout, load: Load, screen: Screen, asked: asyncio.Event) -> int:
    """Returns 0 when asked to end. Raises `DemoError` when a program dies."""
    try:
        async with staged(layout, None, screen, asked) as stage:
            await stage.troupe.add(stage.programs.simulator(load))
            screen.say(f"Simulated USPS: {load.rate:g} callbacks/s, seed {load.seed}. Ctrl-C ends.")
            screen.begin(places_of(stage))
            await stage.troupe.unless_ended(_show_for_ever(stage))
    except Stopped:
        pass
    return 0


async def _show_for_ever(stage: Stage) -> None:
    while True:
        await stage.look()
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def places_of(stage: Stage) -> list[Place]:
    """Where to look further."""
    ports, names = stage.layout.ports, stage.settings.topics
    admin = ", ".join(
        f"{name} {port}"
        for name, port in (
            ("receiver", ports.receiver_admin),
            ("packages", ports.packages_admin),
            ("router", ports.router_admin),
            ("sinks", ports.sinks_admin),
        )
    )
    topics = (names.tracking_updates, names.scan_events, names.merchant("acme"), names.withheld)
    return [
        Place("listener", f"http://127.0.0.1:{ports.receiver}/usps/tracking"),
        Place("health and metrics", f"http://127.0.0.1:PORT/metrics: {admin}"),
        Place("merchants' counts", f"http://127.0.0.1:{ports.merchant}/stats"),
        Place("Kafka", stage.cluster.told),
        Place("topics", ", ".join(topics)),
        Place("logs", f"{stage.layout.logs}/*.log"),
        Place("registry", str(stage.registry.path)),
    ]
