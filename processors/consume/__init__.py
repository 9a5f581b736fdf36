"""Consume, transform, produce: the loop that `packages` and `router` share."""

from processors.consume.loop import TransactionLoop
from processors.consume.stage import OutRecord, Stage, TracksPlaces

__all__ = ["OutRecord", "Stage", "TracksPlaces", "TransactionLoop"]
