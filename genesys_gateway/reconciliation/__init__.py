"""Reconciliation: asks Genesys over REST what the sockets may have missed, and closes conversations that are over.

Invariant: what an answer does not prove did not happen. A conversation is not closed against anything newer than the
answer that proves it over.

The files, in reading order:

    reconciler           Reconciliation: the loop that asks, stores what was missed, and closes
    schedule             when to ask next; pure
    inquiry              one question to Genesys, and what its answer shows
    evidence             what an answer proves; pure (ADR 0011, 0012)
    last_look            asks once more after the close
"""

from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.reconciler import Reconciliation

__all__ = ["Inquiry", "Reconciliation"]
