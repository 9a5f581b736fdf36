"""What clients may take up together: open connections, and bytes of requests not yet whole."""

from collections import Counter

from receiver.listening.partings import TOO_MANY, TOO_MANY_FROM_ADDRESS, Parting


class Places:
    """Counts open connections; what it remembers is bounded by how many there are."""

    def __init__(self, in_all: int, per_address: int) -> None:
        self._in_all = in_all
        self._per_address = per_address
        self._by_address: Counter[str] = Counter()
        self.taken = 0

    def take(self, address: str | None) -> Parting | None:
        """None, and counted, if one more may be open; else why not.

        `address` None: a proxy, which speaks for many and counts only in all.
        """
        if self.taken >= self._in_all:
            return TOO_MANY
        if address is not None:
            if self._by_address[address] >= self._per_address:
                return TOO_MANY_FROM_ADDRESS
            self._by_address[address] += 1
        self.taken += 1
        return None

    def leave(self, address: str | None) -> None:
        """One that had a place is closed."""
        self.taken -= 1
        if address is None:
            return
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class Room:
    """How many bytes all requests that are not yet whole may hold in memory."""

    def __init__(self, most_bytes: int) -> None:
        self.left = most_bytes

    def take(self, size: int) -> bool:
        """True, and counted, if so many bytes more fit."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give_back(self, size: int) -> None:
        """So many are not held any more."""
        self.left += size
