"""What a destination is as declared, and whether a 410 disabled it as such."""

from hashlib import blake2b

import orjson

from schemas.registry.destinations import DestinationBase
from schemas.registry.log import Observations
from schemas.registry.observed import ObservedKind


def declaration_digest(destination: DestinationBase) -> str:
    """32 hex digits; another declaration gives others."""
    text = orjson.dumps(destination.record(), option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).hexdigest()


def is_disabled(destination: DestinationBase, observed: Observations) -> bool:
    """Whether it answered 410 and was neither changed nor enabled since."""
    found = observed.get(ObservedKind.DISABLED, destination.id)
    return found is not None and found.get("declared") == declaration_digest(destination)


def in_shard(destination_id: str, shard: tuple[int, int]) -> bool:
    """Whether it belongs to the shard (its number from 1, and how many there are)."""
    number, shards = shard
    digest = blake2b(destination_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards == number - 1
