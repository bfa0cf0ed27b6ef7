"""How are the errors named that a record was stored with?"""

import pytest

from genesys_gateway.domain.outbox import INVALID, TRIED_TOO_LONG, UNREADABLE
from genesys_gateway.oversight.last_error import shown


@pytest.mark.parametrize(
    ("reason", "last_error", "named"),
    [
        (None, None, None),
        (None, "HTTP 503", "HTTP 503"),
        (None, "lookup: HTTP 500", "HTTP 500"),
        (None, "no whole answer in time", "timeout"),
        (None, "no connection in time", "timeout"),
        (None, "lookup: no whole answer in time", "timeout"),
        (None, "connection failed (ReadTimeoutError)", "timeout"),
        (None, "connection failed (NewConnectionError)", "not connected"),
        (None, "connection failed (NameResolutionError)", "name not resolved"),
        (None, "connection failed (SSLCertVerificationError: self-signed certificate)", "TLS"),
        (None, "connection failed (proxy: OSError: answered 407)", "proxy"),
        (None, "connection failed (RemoteDisconnected)", "connection lost"),
        (None, "every connection is busy", "busy"),
        (None, "the answer (200) is larger than 5242880 bytes", "answer too large"),
        (None, "internal error", "internal error"),
        ("refused with HTTP 422", "HTTP 422", "HTTP 422"),
        ("refused with HTTP 422", None, "HTTP 422"),
        (TRIED_TOO_LONG, "HTTP 503", "HTTP 503"),
        (TRIED_TOO_LONG, None, TRIED_TOO_LONG),
        (INVALID, "customerHandle, title", "invalid record"),
        (UNREADABLE, "content", "unreadable event"),
        (None, "HTTP 422: Maria Cruz is no customer", "other"),
        ("refused with HTTP 422 <b>", "HTTP 422 <b>", "other"),
        ("Maria Cruz", None, "other"),
    ],
)
def test_an_error_is_shown_as_a_status_or_a_kind(reason: str | None, last_error: str | None, named: str | None) -> None:
    assert shown(reason, last_error) == named
