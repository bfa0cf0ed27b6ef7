"""Intake: stores registrations, supportResults, and what the sockets bring, before anything is done about them.

Invariant: an arrival is passed on only after its commit, and no network call delays that commit (ADR 0001).

The files, in reading order:

    registration         ``supportInteraction``: a conversation is stored, once, and followed
    support_result       ``supportResult``: the older report of the same after-call work
    arrivals             what the channels bring, and the queue in which it waits; pure
    event_spool          events, changes of coverage and channels, written in order of arrival
"""

from genesys_gateway.intake.event_spool import EventSpool
from genesys_gateway.intake.registration import Registration
from genesys_gateway.intake.support_result import SupportResults

__all__ = ["EventSpool", "Registration", "SupportResults"]
