"""The only writer of one channel's topic list at Genesys.

Invariant: one change is in flight at a time, be it over HTTP or the socket. *Desired* is what the list shall hold;
*confirmed* is what the server reported it holds. A change with an unknown outcome is resolved before the next one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gevent.event import Event

from genesys_gateway.channels.batching import Batcher
from genesys_gateway.channels.topic_list import TopicList
from genesys_gateway.channels.topic_refusals import MAX_SINGLED_OUT, Refusals
from genesys_gateway.channels.unsubscription import Unsubscription
from genesys_gateway.genesys import ChannelGrant, Genesys
from genesys_gateway.genesys.client import NotFound, TokenDead, TooManyTopics
from genesys_gateway.genesys.notifications import Reply, acw_topic, conversation_of
from genesys_gateway.runtime.backoff import full_jitter
from genesys_gateway.runtime.errors import NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterListener:
    """The callbacks of a writer. It calls them from its own greenlet; they must return quickly."""

    #: these conversations' topics are confirmed while the socket is open
    covered: Callable[[list[str]], None]
    #: these conversations' topics were believed confirmed, and the server's list does not hold them
    missed: Callable[[list[str]], None]
    #: the server's list differed from ours by this number of topics, through no change of ours
    drifted: Callable[[int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: the channel is full; these conversations need another one
    displaced: Callable[[list[str]], None]
    #: the channel can no longer be used, for this reason
    gone: Callable[[str], None]
    #: send a text over the channel's socket; raises SocketLost
    send: Callable[[str], None]


class TopicWriter:
    """Changes the server's list of one channel until it holds what is desired.

    Args:
        grant: The channel with the token that created it; every call about it must carry that token.
        listener: The callbacks.
    """

    def __init__(
        self,
        grant: ChannelGrant,
        *,
        genesys: Genesys,
        settings: Settings,
        runtime: Runtime,
        listener: WriterListener,
    ) -> None:
        self._grant = grant
        self._genesys = genesys
        self._settings = settings
        self._clock = runtime.clock
        self._logger = SampledLog(log, self._clock)
        self._random = runtime.random
        self._listener = listener
        self._list = TopicList()
        self._foreign = 0  # topics of other kinds on the list: they take places, and are left alone
        self._capacity = settings.channel_topics
        self._batch_limit = settings.channel_topics  # halved while the cause of a refused call is searched for
        self._refusals = Refusals(settings.retry_base_seconds, settings.retry_max_seconds, runtime.random)
        self._singled_out = 0  # topics in a row found to be the cause of a refused call
        self._failures = 0  # in a row
        self._not_before = -1e9  # monotonic seconds: no change is made earlier
        self._open = False  # the socket is open
        self._stale = False  # the list is from an earlier socket, and was not read since
        self._outcome_unknown = False  # the outcome of the last change is unknown
        self._read_due = False  # the list is to be read
        self._reading = False  # the list is being read
        self._taken = False  # the server took topics off the list, and did not name them
        self._frozen = False  # the topics are moving to another channel
        self._stopped = False
        self._wake = Event()
        self._unsubscription = Unsubscription(listener.send, settings.reply_seconds)
        self._batcher = Batcher(settings.api_rate_per_minute, runtime.clock)

    @property
    def size(self) -> int:
        """Number of topics that take a place: desired, in flight, or not yet removed."""
        return self._list.size

    @property
    def free_places(self) -> int:
        """Number of conversations that it can take in addition."""
        return max(0, self._capacity - self._foreign - self.size)

    @property
    def lost_places(self) -> int:
        """Number of places that no desired conversation can have now: not granted, or taken by other topics."""
        return self._settings.channel_topics - self._capacity + self._foreign + len(self._list.surplus)

    @property
    def desired(self) -> tuple[str, ...]:
        """The conversations that the list shall hold, oldest first."""
        return tuple(self._list.desired)

    @property
    def settled(self) -> bool:
        """Whether the server has confirmed everything desired except refused topics, and nothing is left to read."""
        if not self._open or self._outcome_unknown or self._read_due or self._reading:
            return False
        left_out = self._refusals.not_on_list(self._clock.monotonic())
        return all(one in left_out for one in self._list.absent)

    def covered_among(self, conversation_ids: Iterable[str]) -> list[str]:
        """Those of these conversations whose topics are confirmed and whose notifications arrive now."""
        if not self._open or self._stale:
            return []
        confirmed, desired = self._list.confirmed, self._list.desired
        return [one for one in conversation_ids if one in confirmed and one in desired]

    def want(self, conversation_ids: Iterable[str]) -> None:
        """Put these conversations on the list; a repetition changes nothing. Does not wait."""
        if self._list.want(conversation_ids):
            self._batcher.requested()
            self._wake.set()

    def drop(self, conversation_id: str) -> None:
        """Take this conversation off the list; without effect if it is not desired. Does not wait."""
        if self._list.drop(conversation_id):
            self._refusals.forget(conversation_id)
            self._wake.set()

    def freeze(self, frozen: bool) -> None:
        """Add nothing while the topics move to another channel: Genesys may take them off this list meanwhile."""
        self._frozen = frozen
        self._wake.set()

    def opened(self) -> None:
        """Start work: the socket is open. A list that outlived an earlier socket is read before it counts."""
        self._open = True
        self._stale = bool(self._list.confirmed)
        self._read_due = self._read_due or self._stale
        self._wake.set()

    def lost(self) -> list[str]:
        """Stop work: the socket is lost.

        Returns:
            The conversations that were covered until now.
        """
        covered = self.covered_among(self._list.desired)
        self._open = False
        self._unsubscription.lost()
        return covered

    def audit(self) -> None:
        """Read the server's list soon, and repair any difference. Does not wait; a repetition changes nothing."""
        self._read_due = True
        self._wake.set()

    def replied(self, reply: Reply) -> None:
        """Accept a reply that arrived over the socket."""
        if self._unsubscription.replied(reply):
            self.audit()  # the late removal may have undone a later addition

    def removed_by_server(self, topics: Sequence[str]) -> list[str]:
        """Note that the server took these topics off the list; without any, that it did not name them.

        Returns:
            The desired conversations among them that were believed confirmed.
        """
        ids = [one for one in dict.fromkeys(map(conversation_of, topics)) if one and one in self._list.confirmed]
        self._list.removed(ids)
        self.audit()  # a list that is being read right now may be older than this
        self._taken = self._taken or not topics
        missed = [one for one in ids if one in self._list.desired]
        if missed and not self._frozen:  # while frozen it is our own successor that gets them
            self._refusals.removed_by_server(missed, self._clock.monotonic())
            self._listener.drifted(len(missed))
        return missed

    def stop(self) -> None:
        """End :meth:`run` soon."""
        self._stopped = True
        self._wake.set()

    def run(self) -> None:
        """Make change after change until :meth:`stop`, in the writer's own greenlet."""
        while not self._stopped:
            self._wake.clear()
            try:
                self._step()
            except (NotFound, TokenDead) as error:
                self._listener.gone(str(error))
                return
            except (TransientFailure, PermanentFailure) as error:
                self._pause_after(error)

    def _step(self) -> None:
        """Make one change, or wait until there may be one to make."""
        if not self._open:
            self._wake.wait()
            return
        wait = self._not_before - self._clock.monotonic()
        if wait > 0:
            self._clock.sleep(wait)
            return
        if self._outcome_unknown:
            self._resolve_unknown_outcome()
        elif self._read_due:
            self._read_list()
        elif self._list.surplus and (self._batcher.too_early or not self._missing()):
            self._remove()
        elif self._missing():
            self._add()
        else:
            self._batch_limit = self._settings.channel_topics
            # Without a free place no refused topic falls due; the methods that free one also wake the writer.
            next_due = self._refusals.seconds_until_next(self._clock.monotonic()) if self._free_to_add() else None
            self._wake.wait(next_due)
            return
        self._failures = 0

    def _free_to_add(self) -> int:
        return 0 if self._frozen else max(0, self._capacity - self._foreign - len(self._list.confirmed))

    def _missing(self) -> list[str]:
        """Conversations to add in the next call."""
        now = self._clock.monotonic()
        absent = [one for one in self._list.absent if not self._refusals.must_wait(one, now)]
        # Topics refused before are added apart: one that fails a whole call must not fail new ones with it.
        candidates = [one for one in absent if one not in self._refusals] or absent
        return candidates[: min(self._free_to_add(), self._batch_limit)]

    def _add(self) -> None:
        self._batcher.wait(lambda: self._stopped)
        ids = self._missing()
        if not ids or not self._open:
            return
        self._batcher.called(len(ids))
        reach("before_subscribing")
        self._outcome_unknown = True  # until the answer has arrived
        try:
            results = self._genesys.add_topics(self._grant.id, self._grant.token, [acw_topic(one) for one in ids])
        except NotFound:
            raise
        except PermanentFailure as error:
            self._outcome_unknown = False  # Genesys docs: nothing was added
            self._call_refused(ids, error)
            return
        except NotSent:
            self._outcome_unknown = False
            raise
        self._outcome_unknown = False
        self._singled_out = 0
        reach("subscribed")
        permitted = {conversation_of(result.topic) for result in results if result.permitted}
        reasons = {conversation_of(r.topic): r.reason or "Rejected" for r in results if not r.permitted}
        self._confirm([one for one in ids if one in permitted])
        for one in (one for one in ids if one not in permitted):
            self._topic_refused(one, reasons.get(one, "not answered"))

    def _call_refused(self, ids: list[str], error: PermanentFailure) -> None:
        """Find the cause of a refused call by halving it, so that the other topics are not held up.

        The cause is one of the topics, or their number.
        """
        self._logger.warning("topics_refused", channel=self._grant.id, topics=len(ids), error=str(error))
        if len(ids) > 1:
            self._batch_limit = len(ids) // 2
        elif isinstance(error, TooManyTopics):
            self._list_full()
        else:
            self._batch_limit = self._settings.channel_topics
            self._topic_refused(ids[0], str(error))
            self._singled_out += 1
            if self._singled_out > MAX_SINGLED_OUT:
                self._failures = self._singled_out - MAX_SINGLED_OUT
                raise error

    def _list_full(self) -> None:
        """Give up the conversations that do not fit: the server's list is full although we counted free places."""
        self._read_list()
        self._capacity = len(self._list.confirmed) + self._foreign
        displaced = list(self._list.absent)
        for one in displaced:
            self.drop(one)
        self._listener.displaced(displaced)

    def _confirm(self, ids: list[str]) -> None:
        self._list.confirm(ids)
        for one in ids:
            self._refusals.permitted(one)
        wanted = [one for one in ids if one in self._list.desired]
        if wanted and self._open:
            self._listener.covered(wanted)

    def _topic_refused(self, conversation_id: str, reason: str) -> None:
        if conversation_id in self._list.desired and self._refusals.add(
            conversation_id, reason, self._clock.monotonic()
        ):
            self._listener.rejected(conversation_id, reason)

    def _remove(self) -> None:
        """Remove over the socket, which costs no HTTP call."""
        self._clock.sleep(self._batcher.pause)  # let more removals join
        ids = list(self._list.surplus)
        if not ids:
            return
        self._outcome_unknown = True
        reach("before_unsubscribing")
        reply = self._unsubscription.request([acw_topic(one) for one in ids])
        if reply.result == "404":  # Genesys: the channel expired, was evicted, or its token ended
            raise NotFound("channel unknown when unsubscribing")
        reach("unsubscribed")
        if reply.worked:
            self._outcome_unknown = False
            self._list.removed(ids)

    def _resolve_unknown_outcome(self) -> None:
        """Replace the whole list by the desired one, then read it."""
        if not self._frozen:
            left_out = self._refusals.not_on_list(self._clock.monotonic())
            self._replace_list([acw_topic(one) for one in self._list.desired if one not in left_out][: self._capacity])
        self._read_list()

    def _replace_list(self, topics: list[str]) -> None:
        try:
            if topics:
                self._genesys.replace_topics(self._grant.id, self._grant.token, topics)
            else:
                self._genesys.clear_topics(self._grant.id, self._grant.token)
        except NotFound:
            raise
        except PermanentFailure as error:  # the list is unchanged; the missing topics are added by later calls
            self._logger.warning("topics_refused", channel=self._grant.id, topics=len(topics), error=str(error))

    def _read_list(self) -> None:
        before, was_unknown = set(self._list.confirmed), self._outcome_unknown
        self._read_due = False  # first: a request made from here on is for a newer list
        taken, self._taken = self._taken, False
        self._reading = True
        try:
            topics = self._genesys.topics(self._grant.id, self._grant.token)
        except (TransientFailure, PermanentFailure):
            self._read_due, self._taken = True, taken or self._taken
            raise
        finally:
            self._reading = False
        listed = {one for one in map(conversation_of, topics) if one}
        self._outcome_unknown = False
        self._stale = False
        self._list.read(listed)
        self._foreign = len(topics) - len(listed)
        desired = self._list.desired
        missed = [one for one in before - listed if one in desired]
        unexpected = [one for one in listed - before if one not in desired]
        if not (was_unknown or self._frozen) and (missed or unexpected):
            self._listener.drifted(len(missed) + len(unexpected))
        if missed:
            if taken and not self._frozen:
                self._refusals.removed_by_server(missed, self._clock.monotonic())
            self._listener.missed(missed)
        self._confirm([one for one in desired if one in listed])

    def _pause_after(self, error: TransientFailure | PermanentFailure) -> None:
        """Change nothing for a while: longer after each failure in a row, or as long as the server asked for."""
        self._failures += 1
        wait = getattr(error, "retry_after", None)
        if wait is None:
            # If the socket is lost, that explains the failure: the next try on a new socket need not wait.
            base, longest = self._settings.retry_base_seconds, self._settings.retry_max_seconds
            wait = full_jitter(self._random, base, longest if self._open else 0, self._failures)
        self._not_before = self._clock.monotonic() + wait
        self._logger.warning(
            "topic_change_delayed", channel=self._grant.id, error=str(error), wait_seconds=round(wait, 3)
        )
