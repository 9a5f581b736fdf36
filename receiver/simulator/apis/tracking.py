"""Tracking v3r2: the histories of up to 35 packages, as far as they are known."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.simulator.apis.answers import answer, body_of, json_of, of_api
from receiver.simulator.apis.bodies import TrackingItem, read_items
from receiver.simulator.apis.gate import Gate
from receiver.simulator.apis.histories import Histories
from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.refusals import TRACKING, ApiRefusal, forbidden, not_found
from schemas.identifiers import normalize_tracking_number

SCOPE: Final = "tracking"
_PATH: Final = f"{TRACKING}/tracking"
_MULTI_STATUS: Final = 207

# A package's details, or why there are none.
Found = dict[str, Any] | ApiRefusal


class TrackingApi:
    """`/tracking/v3r2`."""

    def __init__(
        self,
        gate: Gate,
        histories: Histories,
        mids: Collection[str],
        oddities: frozenset[ApiOddity],
    ) -> None:
        self._gate = gate
        self._histories = histories
        self._mids = mids
        self._whole = ApiOddity.UNAUTHORISED_MIDS_403 in oddities
        self._single = ApiOddity.UNAUTHORISED_NUMBERS_207 in oddities

    def routes(self) -> Sequence[Route]:
        """One operation."""
        endpoint = of_api(TRACKING, self._track, with_errors=self._gate.with_errors)
        return [Route(_PATH, endpoint, methods=["POST"])]

    async def _track(self, request: Request) -> Response:
        self._gate.admit(request, SCOPE)
        json_of(request)
        items = read_items(await body_of(request))
        found = [(item.number, self._look_up(item)) for item in items]
        refusals = [one for _, one in found if isinstance(one, ApiRefusal)]
        if not refusals:
            return answer([one for _, one in found])
        if len(found) == 1:
            raise refusals[0]
        return answer([self._stated(number, one) for number, one in found], _MULTI_STATUS)

    def _look_up(self, item: TrackingItem) -> Found:
        """Raises `ApiRefusal`: 403 for the whole lookup."""
        number = normalize_tracking_number(item.number)
        mid = self._histories.mid(number.value) or number.mid
        if mid not in self._mids and (self._whole or self._single):
            if self._whole:
                raise forbidden(_PATH)
            return forbidden(_PATH)
        detail = self._histories.detail(number.value, item.mailing_date, item.zip_code)
        if detail is None:
            return not_found("the tracking number is not known, or not yet")
        return {**detail, "trackingNumber": item.number}

    def _stated(self, number: str, found: Found) -> dict[str, Any]:
        """One item of a mixed answer."""
        if isinstance(found, ApiRefusal):
            error = found.error(with_errors=self._gate.with_errors)
            status = str(found.status)
            return {
                "statusCode": status,
                "trackingNumber": number,
                "apiVersion": TRACKING,
                "error": error,
            }
        return {"statusCode": "200", **found}
