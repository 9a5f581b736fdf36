"""One pusher for each listener URL."""

import asyncio
from collections.abc import Callable

from receiver.simulator.outgoing import Outgoing
from receiver.simulator.push import Pusher

MakePusher = Callable[[str], Pusher]


class Pushers:
    """Sends each request to the URL of its subscription.

    Args:
        url: Where requests go whose subscription has no URL.
        all_to_it: All go there, whatever their subscriptions say.
    """

    def __init__(self, make: MakePusher, url: str, *, all_to_it: bool) -> None:
        self._make = make
        self._url = url
        self._all_to_it = all_to_it
        self._pushers: dict[str, Pusher] = {url: make(url)}

    @property
    def unsettled(self) -> int:
        """Requests that wait for a connection, an answer or another attempt."""
        return sum(pusher.unsettled for pusher in self._pushers.values())

    @property
    def overwhelmed(self) -> bool:
        """Whether no more should be given to them now."""
        return any(pusher.overwhelmed for pusher in self._pushers.values())

    def push(self, request: Outgoing) -> None:
        """Sends it now, or as soon as a connection is free. Raises `OperatorError`."""
        url = self._url if self._all_to_it else request.listener_url or self._url
        if url not in self._pushers:
            self._pushers[url] = self._make(url)
        self._pushers[url].push(request)

    async def drain(self) -> None:
        """Waits until everything is settled."""
        await asyncio.gather(*(pusher.drain() for pusher in self._pushers.values()))

    async def settle(self, timeout_seconds: float) -> None:
        """Waits until everything is settled; what is not by then is given up."""
        await asyncio.gather(*(one.settle(timeout_seconds) for one in self._pushers.values()))
