"""The APIs answer as their document says, to whatever a generator makes of it."""

from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.usps import Terms
from receiver.simulator.box import Plan, UspsInABox
from tests.receiver.fakes import FakeClock
from tests.receiver.simulator.apis.document import document
from tests.receiver.simulator.apis.world import (
    CREDENTIALS,
    MID,
    SUBSCRIPTIONS,
    TOKEN,
    new_subscription,
)

load_all_checks()
# A request made against the document must be refused; whatever comes back must be in the
# document: status, headers, media type, shape.
_STRICT = [
    not_a_server_error,
    *CHECKS.get_by_names(
        [
            "status_code_conformance",
            "content_type_conformance",
            "response_headers_conformance",
            "response_schema_conformance",
            "negative_data_rejection",
        ]
    ),
]
_ODD = frozenset(ApiOddity) - {ApiOddity.TOO_MANY_BARE, ApiOddity.TOO_MANY_WITH_RETRY_AFTER}
# It has nothing but an id, and any text may be one.
_CANNOT_BE_WRONG = f"GET {SUBSCRIPTIONS}/{{subscriptionId}}"
_BOUNDED = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def schema(oddities: frozenset[ApiOddity] = frozenset()) -> Any:
    """The document of a simulator with some packages under way, and a token for it."""
    box = UspsInABox(Plan(Terms(mids=frozenset([MID]), oddities=oddities)), FakeClock())
    for _ in range(200):
        box.step()
    app = box.usps.app()
    app.router.routes.append(Route("/without-security.json", _without_security))
    return schemathesis.openapi.from_asgi("/without-security.json", app)


async def _without_security(_: Request) -> JSONResponse:
    """All requests here have a good token, so the generator must not think it left one out."""
    told = deepcopy(document())
    for operations in told["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    return JSONResponse(told)


def token(served: Any) -> dict[str, str]:
    """The header of a client that logged in."""
    asked = served[TOKEN]["POST"].Case(body=CREDENTIALS, media_type="application/json").call()
    return {"Authorization": f"Bearer {asked.json()['access_token']}"}


@pytest.mark.parametrize("oddities", [frozenset(), _ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_the_document_says(
    oddities: frozenset[ApiOddity], mode: GenerationMode
) -> None:
    """Valid and invalid requests to every operation, with oddities and without."""
    served = schema(oddities)
    headers = token(served)
    statuses: set[tuple[str, int]] = set()
    for found in served.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.label == _CANNOT_BE_WRONG:
            continue

        @_BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def hold(case: Any) -> None:
            answered = case.call_and_validate(headers=headers, checks=_STRICT)
            statuses.add((case.operation.label, answered.status_code))

        hold()
    wanted = 201 if mode is GenerationMode.POSITIVE else 400
    assert (f"POST {SUBSCRIPTIONS}", wanted) in statuses or oddities


class Caller:
    """Calls the operations on subscriptions; every answer must be as the document says."""

    def __init__(self) -> None:
        self._served = schema()
        self._headers = token(self._served)

    def __call__(self, method: str, one: str | None = None, body: Any = None, **more: str) -> Any:
        path = SUBSCRIPTIONS if one is None else SUBSCRIPTIONS + "/{subscriptionId}"
        case = self._served[path][method].Case(
            path_parameters={} if one is None else {"subscriptionId": one},
            headers={name.replace("_", "-"): value for name, value in more.items()},
            **({} if body is None else {"body": body, "media_type": "application/json"}),
        )
        return case.call_and_validate(headers=self._headers | dict(case.headers), checks=_STRICT)


def test_sequences_of_calls_are_as_the_document_says() -> None:
    """Create, read, change and delete in any order: what is deleted is gone, the rest is there."""
    call = Caller()
    steps = st.tuples(st.sampled_from(["create", "change", "delete"]), st.integers(0, 9))

    @_BOUNDED
    @given(st.lists(steps, min_size=3, max_size=12))
    def hold(taken: list[tuple[str, int]]) -> None:
        there: dict[str, str] = {}
        for step, pick in taken:
            one = list(there)[pick % len(there)] if there else None
            if step == "create" or one is None:
                created = call("POST", body=new_subscription("http://127.0.0.1:1/"))
                there[created.json()["subscriptionId"]] = "ENABLED"
                continue
            etag = call("GET", one).headers["etag"][0]
            if step == "delete":
                assert call("DELETE", one, If_Match=etag).status_code == 204
                assert call("GET", one).status_code == 404
                del there[one]
            else:
                there[one] = ("ENABLED", "DISABLED")[pick % 2]
                asked = new_subscription("http://127.0.0.1:1/") | {"status": there[one]}
                assert call("PUT", one, asked, If_Match=etag).status_code == 200
                assert call("PUT", one, asked, If_Match=etag).status_code == 412
        for one, status in there.items():
            assert call("GET", one).json()["status"] == status
            assert call("DELETE", one, If_Match=call("GET", one).headers["etag"][0]).content == b""
        assert call("GET").json()["subscriptions"] == []

    hold()


def test_every_operation_needs_its_token() -> None:
    """Without one, and with a wrong one, the resource APIs answer 401."""
    served = schema()
    for path, operations in document()["paths"].items():
        for method in set(operations) & {"get", "post", "put", "delete"}:
            if "security" in operations[method]:
                case = served[path][method.upper()].Case(
                    path_parameters={"subscriptionId": "x"}, body={}, media_type="application/json"
                )
                for header in ("Bearer x", "Basic x", ""):
                    answered = case.call(headers={"Authorization": header})
                    assert answered.status_code == 401
