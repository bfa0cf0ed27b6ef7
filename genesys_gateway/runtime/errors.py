"""Every error that this service raises on purpose, in four families by what the reader must do about it.

    GatewayError
    ├── CallerError             the caller must change the request
    │   ├── PairedAlready           the interaction belongs to another customer, and delivery has begun
    │   ├── NotAuthenticated        web.auth: no credential, or an unknown one
    │   └── NotAllowed              web.auth: a known credential without a role for this
    ├── Unavailable             the caller must repeat the same request later
    │   ├── StorageUnavailable      the commit failed, or its outcome is unknown
    │   └── TooOften                web.auth: this credential called more often than allowed
    ├── PermanentFailure        we must not retry: the same attempt would fail again
    │   ├── SettingsError           settings.fields: settings are missing or wrong
    │   ├── UnsafeDatabase          a confirmed commit may not be on disk, or be lost again
    │   ├── DatabaseTooNew          storage.migrate: a newer version made the tables
    │   ├── DatabaseTooOld          storage.migrate: an older version made the tables
    │   │   └── TablesMissing           there are none yet
    │   ├── TokenRefused            genesys.login: no token until a person fixes the cause
    │   │   └── AssertionRefused        genesys.login: the same, but a new assertion is found by itself
    │   ├── NotFound                genesys.client: Genesys answered 404
    │   ├── Forbidden               genesys.client: Genesys answered 403, a permission is missing
    │   ├── TooManyTopics           genesys.client: the channel has no space for these topics
    │   └── ChannelGone             genesys.websocket: the channel does not exist, or not for this token
    └── TransientFailure        we must retry: the same attempt may succeed later
        ├── NotSent                 the other side has seen nothing of the call
        ├── NoReply                 the other side may have seen the call; its outcome is unknown
        ├── BadAnswer               genesys.call: 2xx with unreadable content, which proves nothing
        ├── Throttled               genesys.client: Genesys answered 429
        ├── Resting                 reconciliation.availability: not to be asked now, and was not
        ├── BulkRefused             reconciliation.inquiry: analytics answered 4xx
        ├── TokenDead               genesys.client: Genesys answered 401
        ├── NoToken                 genesys.client: no token until a person fixes the cause, but retries are harmless
        ├── NoAssertion             genesys.assertions.source: no SAML assertion that may be sent
        │   └── AssertionMissing        genesys.assertions.source: the same, but a retry is harmless
        └── SocketLost              genesys.websocket: the socket is gone, the channel is not

Invariant: apart from these, only ValueError is raised on purpose, by functions that read a text, and errors that stay
inside their own folder.
"""


class GatewayError(Exception):
    """Root of every error this service raises on purpose."""


class CallerError(GatewayError):
    """The request can't be accepted as it is; only its sender can change that."""


class PairedAlready(CallerError):
    """A conversation was registered for another customer after its first delivery attempt had begun."""


class Unavailable(GatewayError):
    """The request is valid but can't be served now.

    Args:
        message: What is missing, without names of hosts, paths or statements.
        retry_after: Seconds after which the caller should repeat the request.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageUnavailable(Unavailable):
    """The commit failed, or its outcome is unknown. In both cases nothing was promised to the caller."""


class PermanentFailure(GatewayError):
    """The other side refused for good; it would refuse a retry too."""


class UnsafeDatabase(PermanentFailure):
    """The database confirms commits that are not on disk yet, or that could be lost again, so a 2xx could be untrue."""


class TransientFailure(GatewayError):
    """The other side can't be reached or can't answer now; the same attempt may succeed later.

    Args:
        message: What happened, without secrets or personal data.
        retry_after: Seconds that the other side asked us to wait; None if it did not ask.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSent(TransientFailure):
    """No connection could be made: the other side has seen nothing of this call."""


class NoReply(TransientFailure):
    """The call may have been sent, but no complete answer came: its outcome is unknown."""
