"""Randomness that is the same for the same seed: every part of a run has its own."""

from random import Random


def seeded(seed: int, part: str) -> Random:
    """A generator for one part of the run, whatever the others draw."""
    return Random(f"{seed}/{part}")  # noqa: S311 -- repeatable on purpose, no secret rests on it
