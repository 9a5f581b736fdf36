"""Where the sentences about progress go: a function that is passed in."""

from collections.abc import Callable

Say = Callable[[str], None]


def silent(_sentence: str) -> None:
    """Says nothing: for tests, and for callers who show progress of their own."""
