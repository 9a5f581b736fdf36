"""How the APIs refuse: the error shape of the two resource APIs, and OAuth's own."""

from typing import Any, Final, Self

from schemas.errors import ScanwireError

SUBSCRIPTIONS: Final = "/subscriptions-tracking/v3r2"
TRACKING: Final = "/tracking/v3r2"
_REALM: Final = 'Bearer realm="https://api.usps.com"'

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
PRECONDITION_FAILED: Final = 412
TOO_MANY: Final = 429


def headers_of(status: int, retry_after_seconds: int | None) -> dict[str, str]:
    """What goes with the status of a refusal."""
    if status == UNAUTHORIZED:
        return {"WWW-Authenticate": _REALM}
    return {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}


class ApiRefusal(ScanwireError):
    """A request to a resource API that is answered with an error.

    Attributes:
        parameter: The input at fault, if it is one.
        retry_after_seconds: For 429: None where the answer does not say.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        parameter: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.status = status
        self.parameter = parameter
        self.retry_after_seconds = retry_after_seconds

    def body(self, api_version: str, *, with_errors: bool) -> dict[str, Any]:
        """The answer's document; without errors the list is there and empty."""
        return {"apiVersion": api_version, "error": self.error(with_errors=with_errors)}

    def error(self, *, with_errors: bool) -> dict[str, Any]:
        """What stands under `error`, in whole answers as in an item of a 207."""
        code = str(self.status)
        errors = [self._detail(code)] if with_errors else []
        return {"code": code, "message": self.detail, "errors": errors}

    def headers(self) -> dict[str, str]:
        """What goes with the status."""
        return headers_of(self.status, self.retry_after_seconds)

    def _detail(self, code: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "status": code,
            "code": "000000",
            "title": self.reason,
            "detail": self.detail,
        }
        if self.status == TOO_MANY:
            # A quota's answer names a product where others name a parameter.
            return told | {"source": {"APIProduct": "Simulated Shipper"}}
        return told if self.parameter is None else told | {"source": {"parameter": self.parameter}}


class OAuthRefusal(ScanwireError):
    """A request to OAuth that is refused; `reason` is a code of RFC 6749, section 5.2."""

    def __init__(self, reason: str, description: str, *, status: int | None = None) -> None:
        super().__init__(reason, description)
        self.status = status or (UNAUTHORIZED if reason == "invalid_client" else BAD_REQUEST)
        self.retry_after_seconds: int | None = None

    @classmethod
    def too_many(cls, refusal: ApiRefusal) -> Self:
        """OAuth's calls count against the quota too; RFC 6749 has no code for it."""
        found = cls("invalid_request", refusal.detail, status=TOO_MANY)
        found.retry_after_seconds = refusal.retry_after_seconds
        return found

    def body(self) -> dict[str, str]:
        """The answer's document."""
        return {
            "error": self.reason,
            "error_description": self.detail,
            "error_uri": "https://datatracker.ietf.org/doc/html/rfc6749#section-5.2",
        }

    def headers(self) -> dict[str, str]:
        """What goes with the status."""
        return headers_of(self.status, self.retry_after_seconds)


def bad_request(message: str, parameter: str | None = None) -> ApiRefusal:
    """400."""
    return ApiRefusal(BAD_REQUEST, "bad_request", message, parameter=parameter)


def forbidden(path: str) -> ApiRefusal:
    """403, in the words by which integrators know it."""
    return ApiRefusal(
        FORBIDDEN,
        "access_denied",
        f"Simulated: the MID is not authorized to access {path}; "
        "see Access Controls and your IP Agreement.",
    )


def not_found(what: str) -> ApiRefusal:
    """404."""
    return ApiRefusal(NOT_FOUND, "not_found", f"Simulated: {what}.")
