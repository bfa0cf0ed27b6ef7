"""What comes in: registrations, supportResults, and the events of the sockets.

Invariant: whatever is passed on was committed first. No network call stands between an arrival and the disk (ADR 0001).

The files, in reading order:

    registration         ``supportInteraction``: a conversation is stored, once, and followed
    support_result       ``supportResult``: the older report of an after-call work
    event_spool          events and changes of coverage from the sockets, written in order
"""

from genesys_gateway.intake.event_spool import EventSpool
from genesys_gateway.intake.registration import Registration
from genesys_gateway.intake.support_result import SupportResults

__all__ = ["EventSpool", "Registration", "SupportResults"]
