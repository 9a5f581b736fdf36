"""How many connections may be open: in all, and from one address."""

from collections import Counter


class Places:
    """Counts open connections; what it remembers is bounded by how many there are."""

    def __init__(self, in_all: int, per_address: int) -> None:
        self._in_all = in_all
        self._per_address = per_address
        self._taken = 0
        self._by_address: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """True, and counted, if one more may be open."""
        if self._taken >= self._in_all or self._by_address[address] >= self._per_address:
            return False
        self._taken += 1
        self._by_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One that had a place is closed."""
        self._taken -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
