"""How USPS's APIs differ from what their documents say: each can be switched on by itself."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.errors import OperatorError

NONE: Final = "none"
ALL: Final = "all"


class ApiOddity(StrEnum):
    """One way in which the APIs are odd."""

    STALE_LIST = "stale-list"
    LIST_NEEDS_MID = "list-needs-mid"
    ETAG_EXPIRY = "etag-expiry"
    DUPLICATE_400 = "duplicate-400"
    EMPTY_ERRORS = "empty-errors"
    TOO_MANY_WITH_RETRY_AFTER = "429-with-retry-after"
    TOO_MANY_BARE = "429-bare"
    UNAUTHORISED_MIDS_403 = "403-for-unauthorised-mids"
    UNAUTHORISED_NUMBERS_207 = "207-for-unauthorised-mids"
    SUSPEND_AFTER_FAILURES = "suspend-after-failures"
    IDLE_DELETION = "idle-deletion"


TEXTS: Final[Mapping[ApiOddity, str]] = {
    ApiOddity.STALE_LIST: "the list of subscriptions is a minute old; reading one is not",
    ApiOddity.LIST_NEEDS_MID: "listing without MID is a 400, and an empty list a 404",
    ApiOddity.ETAG_EXPIRY: "an ETag ends after an hour (412), not only by its use",
    ApiOddity.DUPLICATE_400: "a second subscription of the same URL and filter is a 400 that "
    "names the first one's id",
    ApiOddity.EMPTY_ERRORS: "error answers have an empty `errors` list",
    ApiOddity.TOO_MANY_WITH_RETRY_AFTER: "429 with Retry-After once the quota is used up",
    ApiOddity.TOO_MANY_BARE: "429 without Retry-After; with the former: every other one",
    ApiOddity.UNAUTHORISED_MIDS_403: "MIDs that no registry file names: creating a subscription "
    "and a whole lookup with one of their numbers are a 403",
    ApiOddity.UNAUTHORISED_NUMBERS_207: "as the former, but a lookup of several numbers is a 207 "
    "with a 403 inside",
    ApiOddity.SUSPEND_AFTER_FAILURES: "ten callbacks in a row without a 2xx suspend their "
    "subscription until it is set to ENABLED; what happens meanwhile is never sent",
    ApiOddity.IDLE_DELETION: "a subscription without traffic is deleted after 30 days (by the "
    "APIs' clock, see --clock-speed)",
}


def parse_oddities(text: str) -> frozenset[ApiOddity]:
    """`none`, `all`, or names with commas. Raises `OperatorError`."""
    if text == NONE:
        return frozenset()
    if text == ALL:
        return frozenset(ApiOddity)
    try:
        return frozenset(ApiOddity(name.strip()) for name in text.split(","))
    except ValueError:
        names = ", ".join(ApiOddity)
        raise OperatorError(
            "oddities_unreadable",
            f"--oddities {text}: write none, all, or names with commas: {names}",
        ) from None


def described() -> str:
    """A line for each, for the command's help."""
    return "\n".join(f"  {oddity}\n      {TEXTS[oddity]}" for oddity in ApiOddity)
