"""The end of a process that serves: asked for by a signal, or begun by a part that fails."""

import asyncio
import signal
from collections.abc import Sequence


class Ending:
    """Begins once and stays begun. Needs a running loop."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether nothing new is to be taken any more."""
        return self._asked.is_set()

    def begin(self) -> None:
        """Now."""
        self._asked.set()

    def begin_on_signals(self) -> None:
        """On SIGTERM and SIGINT, from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked.set)

    async def wait(self, parts: Sequence["asyncio.Task[None]"]) -> None:
        """Until it has begun or a part has ended; raises what ended the part."""
        asked = asyncio.create_task(self._asked.wait())
        done, _ = await asyncio.wait([asked, *parts], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in done:
            task.result()
