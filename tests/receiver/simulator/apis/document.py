"""The simulator's OpenAPI document, against which every request and answer here is held."""

from functools import cache
from typing import Any

import orjson
import yaml
from jsonschema import Draft202012Validator

from receiver.simulator.apis.usps import DOCUMENT


@cache
def document() -> dict[str, Any]:
    """Read."""
    found: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return found


def fits(schema: dict[str, Any], value: object) -> bool:
    """Whether a value is what a schema of the document says."""
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    return bool(validator.is_valid(value))


def operation(method: str, path: str) -> dict[str, Any]:
    """What the document says of a request's method and path."""
    for template, operations in document()["paths"].items():
        parts, given = template.split("/"), path.split("/")
        if len(parts) == len(given) and all(
            part.startswith("{") or part == one for part, one in zip(parts, given, strict=True)
        ):
            found: dict[str, Any] = operations[method.lower()]
            return found
    raise AssertionError(f"{path} is not in the document")


def check_request(method: str, path: str, body: object) -> None:
    """Asserts that a body is as the document says."""
    schema = operation(method, path)["requestBody"]["content"]["application/json"]["schema"]
    assert fits(schema, body), f"{method} {path}: the request is not in the document"


def check_answer(method: str, path: str, status: int, headers: Any, body: bytes) -> None:
    """Asserts that status, headers and body are as the document says."""
    told = _referred("responses", operation(method, path)["responses"][str(status)])
    for name, header in told.get("headers", {}).items():
        needed = _referred("headers", header).get("required", False)
        assert name in headers or not needed, f"{status} without {name}"
    if "content" not in told:
        assert body == b""
        return
    assert headers["content-type"] == "application/json"
    schema = told["content"]["application/json"]["schema"]
    assert fits(schema, orjson.loads(body)), f"{method} {path} {status}: {body[:500]!r}"


def _referred(section: str, told: dict[str, Any]) -> dict[str, Any]:
    """What is meant, where the document only refers to it."""
    if "$ref" not in told:
        return told
    found: dict[str, Any] = document()["components"][section][told["$ref"].rpartition("/")[2]]
    return found
