"""All programs of a run together: started until they are ready, stopped in order."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from deploy.demo.metrics import Watcher
from deploy.demo.processes import Child, DemoError, Program
from deploy.demo.programs import SERVICES, Programs

_READY_SECONDS: Final = 90.0
_POLL_SECONDS: Final = 0.1
SIMULATOR: Final = "simulator"

Say = Callable[[str], None]
Result = TypeVar("Result")


class Stopped(Exception):
    """Somebody asked the demo to end."""


class Troupe:
    """The children of a run. `asked` is set when the demo is to end."""

    def __init__(self, programs: Programs, watcher: Watcher, asked: asyncio.Event) -> None:
        self._programs = programs
        self._watcher = watcher
        self._asked = asked
        self._children: dict[str, Child] = {}
        self._may_end: set[str] = set()

    async def start(self, say: Say) -> None:
        """Starts every service and returns when all are ready. Raises `DemoError`, `Stopped`."""
        for name in SERVICES:
            await self.add(self._programs.service(name))
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self.unless_ended(self._all_ready(say))
        except TimeoutError:
            raise DemoError(
                f"not ready after {_READY_SECONDS:.0f} s:\n{await self._why_not_ready()}"
            ) from None

    async def _all_ready(self, say: Say) -> None:
        waiting = {name: self._children[name].program for name in SERVICES}
        while waiting:
            for name, program in list(waiting.items()):
                if await self._watcher.not_ready(program.ready_url or "") is None:
                    say(f"{name}: ready")
                    del waiting[name]
            await asyncio.sleep(_POLL_SECONDS)

    async def _why_not_ready(self) -> str:
        told = []
        for child in self._children.values():
            reason = await self._watcher.not_ready(child.program.ready_url or "")
            if reason is not None:
                told.append(f"  {child.program.name}: {reason} (log: {child.program.log})")
        return "\n".join(told)

    async def add(self, program: Program, *, may_end: bool = False) -> Child:
        """Starts one more; unless it may end, its end is the demo's."""
        child = await Child.start(program)
        self._children[program.name] = child
        if may_end:
            self._may_end.add(program.name)
        return child

    async def unless_ended(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of `work`, unless the demo is asked to end or a child dies meanwhile."""
        working = asyncio.create_task(work)
        asked = asyncio.create_task(self._asked.wait())
        lives = [child.ended for name, child in self._children.items() if name not in self._may_end]
        try:
            await asyncio.wait((working, asked, *lives), return_when=asyncio.FIRST_COMPLETED)
            if self._asked.is_set():
                raise Stopped
            for name, child in self._children.items():
                if child.exit_code is not None and name not in self._may_end:
                    raise DemoError(child.last_words())
            return await working
        finally:
            working.cancel()
            asked.cancel()

    async def stop(self, say: Say) -> None:
        """Upstream first: what was accepted is passed on before the next one ends."""
        for name in (SIMULATOR, *SERVICES):
            child = self._children.pop(name, None)
            if child is not None:
                say(f"{name}: stopping")
                await child.stop()
