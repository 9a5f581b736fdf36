"""Every error of our own: why it happened (`reason`), and whether trying again can help.

`reason` is a fixed slug: it is the log field, the metric label and the slug of an answer.
`detail` is one sentence for the person who reads it; neither ever holds a body, a secret,
an address or a recipient.
"""

from typing import ClassVar


class ScanwireError(Exception):
    """Root of the tree. Anything else that escapes is a bug and stops the process."""

    retriable: ClassVar[bool] = False

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail or reason.replace("_", " ")


class CallbackRejected(ScanwireError):
    """A callback that is answered with an error. `reason` is a slug of the listener's contract."""


class RecordRejected(ScanwireError):
    """A record that cannot be processed, however often it is tried: it is set aside, visibly."""


class PublishFailed(ScanwireError):
    """The broker did not acknowledge in time; the record may or may not have been written."""

    retriable = True


class DeliveryFailed(ScanwireError):
    """One delivery attempt did not end with the sink accepting the event."""

    retriable = True


class Interrupted(ScanwireError):
    """Work on a partition that must begin anew: a fenced writer, a silent client, a busy disk."""

    retriable = True


class PositionLost(ScanwireError):
    """A reading position fell out of the log: going on would skip records in silence."""


class SettingsRefused(ScanwireError):
    """Settings that cannot be used; `detail` lists every problem, a line each."""


class RegistryRefused(ScanwireError):
    """A registry file that cannot be applied; `detail` lists every problem, a line each."""


class OperatorError(ScanwireError):
    """A command that cannot be carried out; `detail` says what is wrong and what to do."""
