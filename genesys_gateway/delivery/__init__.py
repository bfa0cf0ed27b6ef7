"""Delivery: entries leave the outbox and arrive at CommunicationHistory.

Invariant: an attempt is claimed on disk before it begins, and a record is not sent again while the outcome of an
earlier attempt is unknown.

The files, in reading order:

    dispatcher           Delivery: claims entries, hands them to senders, writes down how they ended
    round                one transaction of the dispatcher
    name_lookup          names of agent and wrap-up code before the first attempt, patient but bounded
    ready_queue          which entry is tried next
    attempt              one claimed entry: looked up or sent
    outcome              how an attempt ended, and what follows; pure
    circuit_breaker      whether records may be sent now; pure
    history_client       the HTTP client of CommunicationHistory
"""

from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.delivery.history_client import History

__all__ = ["Delivery", "History"]
