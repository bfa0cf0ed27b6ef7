"""Named places where a test has this process killed, to see that nothing that was promised is lost there.

Law: a place does nothing unless GATEWAY_KILL_POINT names it, and then only on a machine whose Genesys is a simulator.
The variable is no setting: the list of unknown settings warns of it at every start.
"""

import os
import signal
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import count
from urllib.parse import urlsplit

#: Every place, and what is done and not done yet when it is reached.
PLACES: Mapping[str, str] = {
    "migrated": "the tables are there, no worker is",
    "adopted": "this instance owns what is followed, and follows none of it yet",
    "before_commit": "statements are done, not committed",
    "after_commit": "committed, nobody has been told",
    "registered": "a registration is committed, not followed, not answered",
    "before_answer": "a registration is followed, not answered",
    "channel_made": "Genesys made a channel, we have not noted it",
    "channel_noted": "a channel is noted, not connected",
    "socket_opened": "a socket is open, nobody has been told",
    "before_subscribing": "topics are about to be added",
    "subscribed": "Genesys added topics, we have not marked them",
    "covered": "coverage is committed, nobody has been told",
    "heard": "an event came, it is in no spool yet",
    "before_storing": "an event is in the spool, not on disk",
    "stored": "an event is on disk, delivery has not been told",
    "before_claim": "an entry is wanted, its claim is not committed",
    "claimed": "a claim is committed, its attempt has not begun",
    "before_post": "an attempt begins, nothing is sent",
    "posted": "CommunicationHistory answered, that is written down nowhere",
    "looked_up": "CommunicationHistory told that it has a record, that is written down nowhere",
    "before_marking": "an outcome is known, its commit has not begun",
    "marked": "an outcome is committed, nobody has been told",
    "asked": "Genesys answered a question, nothing of it is on disk",
    "closed": "a conversation is closed, its topic is still subscribed",
    "before_unsubscribing": "topics are about to be removed",
    "unsubscribed": "Genesys removed topics, we have not marked them",
    "looked_last": "Genesys answered the last look, that is on disk nowhere",
    "successor_ready": "a successor holds all topics, none has moved",
    "moved": "all topics have moved, the old socket still reads",
    "draining": "sockets are closed, their last events may be in the spool",
    "drained": "all is stored and sent, the lease is still held",
}


def _armed() -> tuple[str, int]:
    """The place that was asked for, and at which time it is reached: ``name`` or ``name:n``."""
    name, _, times = os.environ.get("GATEWAY_KILL_POINT", "").partition(":")
    if not name or not _only_a_simulator():
        return "", 0
    if name not in PLACES:
        raise ValueError(f"GATEWAY_KILL_POINT: there is no {name}")
    return name, int(times or "1")


def _only_a_simulator() -> bool:
    host = urlsplit(os.environ.get("GENESYS_API_URL", "")).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_place, _time = _armed()
_times = count(1)


def reach(place: str) -> None:
    """Be killed here, if that was asked for."""
    if place == _place and next(_times) == _time:
        os.write(2, b'{"level": "critical", "event": "kill_point", "place": "%s"}\n' % place.encode())
        os.kill(os.getpid(), signal.SIGKILL)
