"""Counts what Genesys says unasked about its channels, and logs each kind that this service does not know once.

Invariant: the number of log lines and of remembered kinds is bounded, whatever Genesys sends.
"""

from genesys_gateway.genesys.notifications import Closing, NoLongerSubscribed, OtherNotice, SystemNotice, TokenRevoked
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.metrics import Metrics

log = get_logger(__name__)

#: Kinds that need no action: Genesys reports a change of a topic list, which its writer knows or the next audit finds.
_NEEDLESS = {"subscription.updated": "subscription_updated"}
#: Maximum number of kinds that are logged; the documentation names four in all.
_MOST_KINDS = 20


class SystemNotices:
    """The kinds of notices that were seen on all channels of this process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._unknown: set[str] = set()

    def note(self, notice: SystemNotice) -> None:
        """Count a notice, and log its kind if it is a new one that is not known."""
        match notice:
            case Closing():
                label = "socket_closing"
            case NoLongerSubscribed():
                label = "no_longer_subscribed"
            case TokenRevoked():
                label = "token_revoked"
            case OtherNotice(kind=kind):
                label = _NEEDLESS.get(kind, "unknown")
                if label == "unknown":
                    self._log_once(kind)
        self._metrics.system_notices.labels(kind=label).inc()

    def _log_once(self, kind: str) -> None:
        if kind not in self._unknown and len(self._unknown) < _MOST_KINDS:
            self._unknown.add(kind)
            log.warning("system_notice_unknown", kind=kind)
