"""What can go wrong, sorted by what the one who meets it must do about it.

Four families, and nothing else is raised on purpose: *rejected* (the caller changes the request), *unavailable*
(the caller tries later), *refused* (the other side said no for good), *delayed* (we try again ourselves).
"""


class GatewayError(Exception):
    """Root of every error this service raises on purpose."""


class CallerError(GatewayError):
    """The request can't be accepted as it is; only its sender can change that."""


class PairedAlready(CallerError):
    """A conversation was registered for another customer after its first delivery attempt had begun."""


class Unavailable(GatewayError):
    """The request is fine but can't be served now.

    Args:
        message: What is missing, without names of hosts, paths or statements.
        retry_after: Seconds after which a repetition makes sense.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageUnavailable(Unavailable):
    """The commit failed, or nobody knows whether it succeeded. Either way nothing was promised."""


class PermanentFailure(GatewayError):
    """The other side refused for good; a repetition would be refused alike."""


class TransientFailure(GatewayError):
    """The other side can't be reached, or can't answer now; the same attempt may succeed later.

    Args:
        message: What happened, without secrets or personal data.
        retry_after: Seconds the other side asked us to wait, or None when it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSent(TransientFailure):
    """No connection could be made: the other side has seen nothing of this call."""


class NoReply(TransientFailure):
    """The call may have been sent, but no whole answer came: its outcome is unknown."""
