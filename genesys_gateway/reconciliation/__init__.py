"""Reconciliation: asks Genesys over REST what the sockets may have missed, and closes conversations that are over.

Invariant: an answer counts only for what it proves; a failed question proves nothing. A conversation is not closed if
anything newer than the answer is stored about it.

How it works. A conversation is *due* at once when its topic is confirmed after a gap and when frames were lost, and
``GATEWAY_QUIET_SECONDS`` after an event. Otherwise it is due ``GATEWAY_RECONCILE_SECONDS`` after its registration, and
then at intervals that double up to an hour. After a gap, until its doubt has ended, the intervals are shorter, and one
question falls on the moment at which analytics are complete about the gap. What an answer shows as over is asked about
again when that can be proven.

Of several instances each asks about the conversations that it owns, so each question is asked once. An answer decides
only while the instance that asked owns the conversation: what it names is stored in any case, but the end, a release
and the next date are left to the new owner, for whom the date still stands. A round comes at least every quarter of a
lease, because another instance may have been told of one of ours.

Genesys has two views. The *live view* is up to date, but costs one call per conversation, and where an agent has
several sessions it may not show whose after-call work is done. *Analytics* show up to 50 conversations in one call,
session by session, but may be late by ``GATEWAY_ANALYTICS_SETTLE_SECONDS``. In each round all questions stand in one
queue, ordered by date: a few due conversations are asked about live, many in bulk. The live view is also asked about
covered conversations in doubt, and about those that analytics leave to it: they show an end, or not the conversation at
all, or its deadline has passed.

Under load (ADR 0023) questions go in bulk, when an answer can prove something, and the live view is asked only about
what nothing else decides. When topics are scarce, a conversation that analytics show as over is *released* (ADR 0024):
its topic is given back, and it stays followed until the proof.

A gap leaves a *doubt*: was an event missed? Two answers end it. One is a live answer that names all finished work, if
the question was asked after the conversation was covered again. The other is one of analytics, if they were asked after
that cover had lasted for as long as they may be late. What is found is stored like an event, as a ``backfill``.

A conversation is *closed* by an answer that shows its end, no agent with after-call work left, and all finished work by
name; the transaction that closes it stores that work. Analytics alone close it only if every session shows its own end,
and both the end and the cover (or the loss of the cover) are older than analytics may be late. Past its deadline a
complete live answer closes it unless it shows the conversation going on (404 of both views and 403 count, too); without
a record it is then ``unresolved``. If the live view never answers for it, twelve such questions over a third of
``GATEWAY_FOLLOW_DEADLINE_SECONDS`` past the deadline close it.

The *last look*: ``GATEWAY_LAST_LOOK_SECONDS`` after the close analytics are asked again, once nothing else is due.
Anything found then was missed: it is delivered, and an alarm is raised. Any instance may take it; it claims it for one
lease.

*If no answer comes.* A bulk question that fails is asked again in halves, down to one conversation, which the live view
is then asked about. If it ran into the time limit, groups of eight follow, and then the live view. Where the live view
does not answer for a conversation (any 4xx, an unreadable answer, a failure), analytics are asked about it alone. A
view that fails five times in a row is down: it rests for at most five seconds between two tries, and for as long as it
demands. Meanwhile the other view is asked. Only a 429 stops all questions.

The files, in reading order:

    reconciler           Reconciliation: the loop that asks, stores what was missed, and closes
    plan                 which questions a round asks: about which conversations, in which view, in what order; pure
    schedule             when a conversation is asked about next, and when it is given up; pure
    availability         whether each view may be asked now, how often, and whether it is forbidden
    consequences         stores what follows from an answer: events, the end, a release, the next question
    inquiry              one question to Genesys, and what its answer shows
    finding              what an answer shows, as a value; pure
    evidence             what an answer proves; pure (ADR 0011, 0012)
    backfill             the event of a finished after-call work, from either view; pure
    wrapups              which wrap-up of a session counts in analytics, and whether it is done; pure
    last_look            asks once more after the close
"""

from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.reconciliation.reconciler import Reconciliation, ReconciliationListener

__all__ = ["Inquiry", "Reconciliation", "ReconciliationListener"]
