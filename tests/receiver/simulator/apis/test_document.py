"""The APIs answer as their document says, to whatever a generator makes of it."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error

from receiver.simulator.apis.oddities import ApiOddity
from receiver.simulator.apis.usps import Terms
from receiver.simulator.box import Plan, UspsInABox
from tests.receiver.fakes import FakeClock
from tests.receiver.simulator.apis.world import CREDENTIALS, MID, SUBSCRIPTIONS, TOKEN

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
_STATEFUL = [*_STRICT, *CHECKS.get_by_names(["use_after_free", "ensure_resource_availability"])]
_BOUNDED = settings(
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    stateful_step_count=8,
    suppress_health_check=list(HealthCheck),
)


def schema(oddities: frozenset[ApiOddity] = frozenset()) -> Any:
    """The document of a simulator with some packages under way, and a token for it."""
    box = UspsInABox(Plan(Terms(mids=frozenset([MID]), oddities=oddities)), FakeClock())
    for _ in range(200):
        box.step()
    return schemathesis.openapi.from_asgi("/usps.yaml", box.usps.app())


def token(document: Any) -> dict[str, str]:
    """The header of a client that logged in."""
    asked = document[TOKEN]["POST"].Case(body=CREDENTIALS, media_type="application/json").call()
    return {"Authorization": f"Bearer {asked.json()['access_token']}"}


@pytest.mark.parametrize("oddities", [frozenset(), _ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_the_document_says(
    oddities: frozenset[ApiOddity], mode: GenerationMode
) -> None:
    """Valid and invalid requests to every operation, with oddities and without."""
    document = schema(oddities)
    headers = token(document)
    statuses: set[tuple[str, int]] = set()
    for found in document.get_all_operations():
        operation = found.ok()

        @_BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def hold(case: Any) -> None:
            answered = case.call_and_validate(headers=headers, checks=_STRICT)
            statuses.add((case.operation.label, answered.status_code))

        hold()
    wanted = 201 if mode is GenerationMode.POSITIVE else 400
    assert (f"POST {SUBSCRIPTIONS}", wanted) in statuses or oddities


def test_sequences_of_calls_are_as_the_document_says() -> None:
    """Create, read, change and delete in any order: what is deleted is gone, the rest is there."""
    document = schema()
    headers = token(document)
    met: set[tuple[str, int]] = set()

    class Sequences(document.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=_STATEFUL)
            met.add((case.operation.method.upper(), response.status_code))

    run_state_machine_as_test(Sequences, settings=_BOUNDED)
    assert {("POST", 201), ("GET", 200), ("PUT", 200), ("DELETE", 204)} <= met


def test_every_operation_needs_its_token() -> None:
    """Without one, and with a wrong one, the resource APIs answer 401."""
    document = schema()
    for path, operations in document.raw_schema["paths"].items():
        for method in set(operations) & {"get", "post", "put", "delete"}:
            if "security" in operations[method]:
                case = document[path][method.upper()].Case(
                    path_parameters={"subscriptionId": "x"}, body={}, media_type="application/json"
                )
                for header in ("Bearer x", "Basic x", ""):
                    answered = case.call(headers={"Authorization": header})
                    assert answered.status_code == 401
