"""Kill points (elsewhere called fail points): places where a test kills this process to check that nothing is lost.

A module marks a place with ``reach("name")``.

Invariant: a place does nothing unless GATEWAY_KILL_POINT names it and GENESYS_API_URL is a loopback address, that is,
a simulator. The variable is no setting: each start with it logs a warning about an unknown setting.
"""

import os
import signal
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import count
from urllib.parse import urlsplit

#: Every place by name, with what is done and what is not done yet when it is reached.
KILL_POINTS: Mapping[str, str] = {
    "migrated": "the tables exist, no worker does",
    "adopted": "this instance owns the followed conversations, but does not follow them yet",
    "before_commit": "the statements are done, not committed",
    "after_commit": "committed, the waiting greenlet has not been resumed",
    "registered": "a registration is committed, not followed, not answered",
    "before_answer": "a registration is followed, not answered",
    "channel_made": "Genesys has made a channel, it is not in the spool, not connected",
    "socket_opened": "a socket is open, its channel has not changed its state",
    "before_subscribing": "topics are about to be added",
    "subscribed": "Genesys has added topics, they are not marked as confirmed",
    "covered": "coverage is committed, the spool has not been updated",
    "heard": "an event has arrived, it is not in the spool",
    "before_storing": "an event is in the spool, not on disk",
    "stored": "an event is on disk, delivery has not been notified",
    "before_claim": "an entry is chosen, its claim is not committed",
    "claimed": "a claim is committed, its attempt has not begun",
    "before_post": "an attempt begins, nothing is sent",
    "posted": "CommunicationHistory has answered, the answer is not on disk",
    "looked_up": "CommunicationHistory has answered that it holds a record, the answer is not on disk",
    "before_marking": "an outcome is known, its commit has not begun",
    "marked": "an outcome is committed, it is not counted or logged",
    "asked": "Genesys has answered a question, the answer is not on disk",
    "closed": "a conversation is closed, its topic is still subscribed",
    "before_unsubscribing": "topics are about to be removed",
    "unsubscribed": "Genesys has removed topics, they are not marked as removed",
    "looked_last": "Genesys has answered the last look, the answer is not on disk",
    "successor_ready": "a successor holds all topics, none has moved",
    "moved": "all topics have moved, the old socket still reads",
    "draining": "the sockets are closed, their last events may be in the spool",
    "drained": "everything is stored and sent, the lease is still held",
}


def _armed() -> tuple[str, int]:
    """The place to kill at and the number n of the ``reach`` that kills, from ``name:n`` or ``name`` (n is 1)."""
    name, _, nth = os.environ.get("GATEWAY_KILL_POINT", "").partition(":")
    if not name or not _only_a_simulator():
        return "", 0
    if name not in KILL_POINTS:
        raise ValueError(f"GATEWAY_KILL_POINT: there is no {name}")
    return name, int(nth or "1")


def _only_a_simulator() -> bool:
    host = urlsplit(os.environ.get("GENESYS_API_URL", "")).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_place, _nth = _armed()
_times = count(1)


def reach(place: str) -> None:
    """Kill this process if GATEWAY_KILL_POINT names this place and it is reached for the n-th time; else do nothing."""
    if place == _place and next(_times) == _nth:
        os.write(2, b'{"level": "critical", "event": "kill_point", "place": "%s"}\n' % place.encode())
        os.kill(os.getpid(), signal.SIGKILL)
