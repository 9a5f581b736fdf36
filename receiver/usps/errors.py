"""Refusals of USPS's APIs."""

from pydantic import SecretStr

from schemas.errors import ScanwireError


class UspsRefused(ScanwireError):
    """USPS said no, and the same call would be refused again.

    `detail` is safe to print and to log.

    Attributes:
        status: The HTTP status; None: there was no answer.
        codes: USPS's error codes, the outer one first; only plain words and numbers.
        said: USPS's own text, whole. It may repeat secrets, tracking numbers and paths:
            to be searched (for the id of a duplicate), never to be shown.
        retry_after_seconds: What USPS asked for, within bounds; None: it did not.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        status: int | None = None,
        codes: tuple[str, ...] = (),
        said: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason, detail)
        self.status = status
        self.codes = codes
        self.said = SecretStr(said)
        self.retry_after_seconds = retry_after_seconds

    @property
    def code(self) -> str | None:
        """The first of `codes`."""
        return self.codes[0] if self.codes else None


class UspsUnavailable(UspsRefused):
    """No answer, or one that says "later": 429, 5xx. Trying again can help."""

    retriable = True
