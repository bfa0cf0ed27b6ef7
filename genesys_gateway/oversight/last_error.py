"""Names the last error of a record as operators see and select it: a status, or one of a few kinds.

Invariant: pure. Nothing that the receiver has written is shown: a text that is not known becomes ``other``.
"""

import re

from genesys_gateway.domain.outbox import INVALID, REFUSED_WITH, TRIED_TOO_LONG, UNREADABLE

OTHER = "other"

_STATUS = re.compile(r"HTTP \d{3}")
#: What an error is about, by a part of its text: the first that fits.
_KINDS = (
    (r"in time|Timeout|timed out", "timeout"),
    (r"\(proxy: ", "proxy"),
    (r"SSL|Certificate", "TLS"),
    (r"NameResolution|gaierror", "name not resolved"),
    (r"NewConnectionError|ConnectionRefused", "not connected"),
    (r"connection failed \(", "connection lost"),
    (r"every connection is busy", "busy"),
    (r"the answer \(\d+\) is larger", "answer too large"),
    (r"internal error", "internal error"),
)
#: The same by the reason of a dead record, if it is not what the receiver or the network said.
_REASONS = {INVALID: "invalid record", UNREADABLE: "unreadable event"}
_ALL = tuple((re.compile(text), kind) for text, kind in _KINDS)


def shown(reason: str | None, last_error: str | None) -> str | None:
    """The last error as a status or a kind; None if there was none.

    Args:
        reason: Why the record is dead; None if it is not.
        last_error: The text that is stored with it.
    """
    if reason in _REASONS:
        return _REASONS[reason]
    text = last_error or (reason or "").removeprefix(REFUSED_WITH)
    if not text:
        return None
    if reason == TRIED_TOO_LONG and last_error is None:
        return TRIED_TOO_LONG
    text = text.removeprefix("lookup: ")
    if _STATUS.fullmatch(text):
        return text
    return next((kind for pattern, kind in _ALL if pattern.search(text)), OTHER)
