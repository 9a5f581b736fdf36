"""CloudEvents 1.0 binary-mode headers of our records, and the `scanwire-*` ones."""

from typing import Final

Headers = list[tuple[str, bytes]]
CONTENT_TYPE: Final = ("content-type", b"application/json")
SPEC_VERSION: Final = ("ce_specversion", b"1.0")

# On a merchant record: it may come after newer events of its piece, and why.
OUT_OF_ORDER: Final = "scanwire-out-of-order"
# On a merchant record: the right on which it was sent, a grant's id or `owner:<mid>`.
GRANT: Final = "scanwire-grant"


def record_headers(
    record_id: str, record_type: str, source: str, time: str, subject: str | None
) -> Headers:
    """The headers of one record. `time` is RFC 3339, `subject` the tracking number if any."""
    headers: Headers = [
        SPEC_VERSION,
        ("ce_id", record_id.encode()),
        ("ce_type", record_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", time.encode()),
        CONTENT_TYPE,
    ]
    if subject is not None:
        headers.insert(5, ("ce_subject", subject.encode()))
    return headers
