"""Delivery: entries leave the outbox and arrive at CommunicationHistory.

Invariant: an attempt is claimed in the database before it begins, and a record is not sent again while the outcome of
an earlier attempt is unknown.

How a round goes. One greenlet, the dispatcher, runs rounds. A round is one transaction, and nothing else in this folder
touches the database; eight senders make the attempts. A round does this, in this order: claim the next entries of the
ready queue; store how earlier attempts ended; postpone entries that wait for names; revive dead letters; make all
waiting entries due if the receiver has just come back (``_hasten``); read due entries if the ready queue is short.

An entry that was read is held (``_held``) while its names are looked up and while it is in the ready queue. A round
claims it (``_claimed``): from then on it counts as in doubt, its names and its customer no longer change, and no other
instance may attempt it until the lease ends. A sender looks the record up if an earlier attempt left it in doubt, sends
it if it is not there, and decides what follows. A later round stores that, provided the claim is still the latest. If
the database is unavailable, the next round stores it; entries that were not claimed are read again.

When it reads. ``_unread`` means that the outbox may hold due entries that are not in memory: after ``wake``, after a
read that reached its limit, after entries were dropped from memory. If the ready queue had no space for any entry of
the last read (``_no_space``), the next read waits until the queue is short or something new arrives. With nothing to
do, the dispatcher sleeps until ``_read_at``: until the next entry is due, but at most a quarter of a lease.

What is locked. A round waits for no lock of another transaction (ADR 0025). What it could not do, because a row was
locked, is put off (``_put_off``) and tried again after a short pause, which becomes longer while the lock stays.

What the circuit breaker does. Five different records without an answer in a row *break* it: the receiver is down. A
401, three different records turned away in a row (403, 404, a redirect), or ten refused alike *pause* it: a person has
to correct something. Then one record at a time is sent as a probe, each time another one, at intervals that double
(broken) or once per longest back-off (paused). Meanwhile no failure counts against a record, and the ten refused
records, which had become dead, are revived. As soon as an answer shows that the receiver works again, everything that
waits is due at once, oldest first; what has failed often comes later.

What a bad record does. It stops only itself: once others got through after its failure, it is a *suspect*, and its
failures say nothing about the receiver, until nothing at all has got through for a while. A record that is turned away
is dead after five times, if others got through between them. A ``Retry-After`` holds the record that was told so; it
holds all if two different ones were told in a row.

After a crash. Memory holds nothing that the database lacks: entries that were held are read again. A claim whose end
was not stored is released at the next start (SQLite) or expires with its lease (PostgreSQL). Its entry is in doubt: the
receiver is asked for the record before it is sent again. The circuit breaker starts flowing; what it counts is read
back from the timelines, so that a restart in the middle of ten makes no record dead.

The files, in reading order:

    dispatcher           Delivery: claims entries, hands them to senders, stores how their attempts ended
    round                one transaction of the dispatcher
    put_off              what a round could not do because of locks, until it is tried again
    name_lookup          names of agent and wrap-up code before the first attempt, patient but bounded
    ready_queue          which entry is tried next
    attempt              one claimed entry: looked up or sent
    outcome              how an attempt ended, and what follows; pure
    evidence             what answers to single records say about the receiver; pure
    receiver_trouble     what is wrong with the receiver and since when, for operators; pure
    circuit_breaker      whether records may be sent now; pure
    history_client       the HTTP client of CommunicationHistory
"""

from genesys_gateway.delivery.dispatcher import Delivery
from genesys_gateway.delivery.history_client import HistoryClient

__all__ = ["Delivery", "HistoryClient"]
