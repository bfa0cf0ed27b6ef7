"""What operators see of the service: whether the promise is kept, what is wrong, and where a conversation stands.

Invariant: looking changes nothing on the path of the data, and nothing personal is shown unless an operator reveals it,
which is written into the log and the timeline.

The files, in reading order:

    status               what an operator is shown of the whole service at one moment
    finding              one thing that is wrong, before it is put into words
    codes                the codes of troubles, and how each is put into words
    own                  what this instance knows to be wrong by itself
    probes               asks about troubles that no other part would ask about: disk, login, forbidden views
    survey               what the database tells operators, and what is wrong with it
    report               what an instance says of itself, so that each instance can answer for all
    debounce             keeps back what is wrong for a moment only
    channel_list         the channels of this instance as operators see them
    watch                looks again and again, and has the answer ready
    hour                 what this instance did in the last hour, as points for charts
    explanation          explains the state of one conversation in sentences
    account              everything known of one conversation, with these sentences, as JSON
    paging               pages of lists, and their cursors
    conversations        the list of conversations, and what is known of one
    last_error           names the last error of a record: a status, or one of a few kinds
    records              the list of records; one record masked or revealed; dead ones requeued
"""

from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.status import InstanceStatus, Promise, Status, Trouble

__all__ = ["Finding", "InstanceStatus", "Promise", "Status", "Trouble"]
