"""The only writer of one channel's topic list at Genesys.

Law: one change is in flight at a time, whatever carries it; what the server's list holds is *confirmed*, what it shall
hold is *desired*, and a change with a doubtful outcome is settled before the next one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from gevent.event import Event

from genesys_gateway.channels.batching import Batcher
from genesys_gateway.channels.topic_refusals import MOST_IN_A_ROW, Refusals
from genesys_gateway.channels.unsubscription import Unsubscription
from genesys_gateway.genesys import ChannelGrant, Genesys
from genesys_gateway.genesys.client import NotFound, TokenDead, TooManyTopics
from genesys_gateway.genesys.notifications import Reply, acw_topic, conversation_of
from genesys_gateway.runtime.backoff import full_jitter
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterListener:
    """Whom the writer tells what; each is called from the writer's greenlet and must not wait for long."""

    #: these conversations' topics are confirmed while the socket is open
    covered: Callable[[list[str]], None]
    #: these were believed confirmed, and the server's list does not have them
    missed: Callable[[list[str]], None]
    #: by so many topics the server's list differed from ours without our doing
    drifted: Callable[[int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: the channel takes no more; these conversations need another one
    displaced: Callable[[list[str]], None]
    #: the channel can't be used any more
    gone: Callable[[str], None]
    #: send a text over the channel's socket; raises SocketLost
    send: Callable[[str], None]


class TopicWriter:
    """Brings the server's list of one channel to what is desired.

    Args:
        grant: The channel, with the token that made it: no other token may speak of it.
        listener: Whom to tell.
    """

    def __init__(
        self,
        grant: ChannelGrant,
        *,
        genesys: Genesys,
        settings: Settings,
        clock: Clock,
        random: Random,
        listener: WriterListener,
    ) -> None:
        self._grant = grant
        self._genesys = genesys
        self._settings = settings
        self._clock = clock
        self._random = random
        self._tell = listener
        self._desired: dict[str, None] = {}  # in the order they were asked for
        self._confirmed: set[str] = set()
        self._refusals = Refusals(settings.retry_base_seconds, settings.retry_max_seconds, random)
        self._limit = settings.channel_topics
        self._foreign = 0  # topics on the list that are no business of ours
        self._batch = settings.channel_topics
        self._failures = self._refused_in_a_row = 0
        self._not_before = -1e9  # monotonic seconds: no change is made earlier
        self._open = self._stale = self._doubtful = self._unread = self._reading = self._frozen = False
        self._poked = Event()
        self._stopped = False
        self._unsubscription = Unsubscription(listener.send, settings.reply_seconds)
        self._batcher = Batcher(settings.api_rate_per_minute, clock)

    @property
    def size(self) -> int:
        """Topics that count against the room: wanted, in flight, or not yet removed."""
        return len(self._confirmed.union(self._desired))

    @property
    def room(self) -> int:
        """How many more it takes."""
        return max(0, self._limit - self._foreign - self.size)

    @property
    def desired(self) -> tuple[str, ...]:
        """The conversations that the list shall hold, oldest first."""
        return tuple(self._desired)

    @property
    def settled(self) -> bool:
        """Whether everything desired is confirmed by the server's own list, refused topics aside."""
        wanted = self._desired.keys() - self._refusals.ids(self._clock.monotonic())
        return self._open and not (self._doubtful or self._unread or self._reading) and wanted <= self._confirmed

    def covers(self, conversation_ids: Iterable[str]) -> list[str]:
        """Those of them whose topics are confirmed and whose notifications arrive now."""
        if not self._open or self._stale:
            return []
        return [one for one in conversation_ids if one in self._confirmed and one in self._desired]

    def want(self, conversation_ids: Iterable[str]) -> None:
        """These shall be on the list; a repetition changes nothing."""
        fresh = dict.fromkeys(one for one in conversation_ids if one not in self._desired)
        if fresh:
            self._confirmed.difference_update(fresh)  # its removal may be under way: only a new answer counts
            self._desired.update(fresh)
            self._batcher.asked()
            self._poked.set()

    def drop(self, conversation_id: str) -> None:
        """This one shall not be on the list any more; a repetition changes nothing."""
        self._desired.pop(conversation_id, None)
        self._refusals.forget(conversation_id)
        self._poked.set()

    def freeze(self, frozen: bool) -> None:
        """While the topics move to another channel, add nothing: what is taken from this list is meant to be there."""
        self._frozen = frozen
        self._poked.set()

    def opened(self) -> None:
        """The socket is open. A list that outlived an earlier socket is read before it is believed."""
        self._open = True
        self._stale = bool(self._confirmed)
        self._unread = self._unread or self._stale
        self._poked.set()

    def lost(self) -> list[str]:
        """The socket is lost; who was covered until then is returned."""
        covered = self.covers(self._desired)
        self._open = False
        self._unsubscription.lost()
        return covered

    def audit(self) -> None:
        """Read the server's list soon and repair what differs."""
        self._unread = True
        self._poked.set()

    def replied(self, reply: Reply) -> None:
        """A reply came over the socket."""
        if self._unsubscription.replied(reply):
            self.audit()  # what was removed so late may have been added again before

    def taken(self, topics: Iterable[str]) -> list[str]:
        """The server took topics from the list; those believed confirmed that are still desired are returned."""
        ids = {one for one in map(conversation_of, topics) if one} & self._confirmed
        self._confirmed -= ids
        self.audit()  # a list that is being read right now may be older than this
        missed = [one for one in ids if one in self._desired]
        if missed and not self._frozen:  # else another channel of ours is meant to have them
            self._refusals.taken(missed, self._clock.monotonic())
            self._tell.drifted(len(missed))
        return missed

    def stop(self) -> None:
        """End :meth:`run` soon."""
        self._stopped = True
        self._poked.set()

    def run(self) -> None:
        """The writer's greenlet: change after change until :meth:`stop`."""
        while not self._stopped:
            self._poked.clear()
            try:
                self._step()
            except (NotFound, TokenDead) as error:
                self._tell.gone(str(error))
                return
            except (TransientFailure, PermanentFailure) as error:
                self._hold(error)

    def _step(self) -> None:
        """Make one change, or wait for a reason to make one."""
        if not self._open:
            self._poked.wait()
            return
        wait = self._not_before - self._clock.monotonic()
        if wait > 0:
            self._clock.sleep(wait)
            return
        if self._doubtful:
            self._settle()
        elif self._unread:
            self._read()
        elif self._leaving() and (self._batcher.resting or not self._missing()):
            self._remove()
        elif self._missing():
            self._add()
        else:
            self._batch = self._settings.channel_topics
            # Without room nothing falls due: what makes room pokes.
            self._poked.wait(self._refusals.until_next(self._clock.monotonic()) if self._addable() else None)
            return
        self._failures = 0

    def _leaving(self) -> list[str]:
        return [one for one in self._confirmed if one not in self._desired]

    def _addable(self) -> int:
        return 0 if self._frozen else max(0, self._limit - self._foreign - len(self._confirmed))

    def _missing(self) -> list[str]:
        now = self._clock.monotonic()
        lacking = [one for one in self._desired if one not in self._confirmed and not self._refusals.hold(one, now)]
        # Refused ones go by themselves: one that fails a whole call must not fail fresh ones with it.
        candidates = [one for one in lacking if one not in self._refusals] or lacking
        return candidates[: min(self._addable(), self._batch)]

    def _add(self) -> None:
        self._batcher.wait(lambda: self._stopped)
        ids = self._missing()
        if not ids or not self._open:
            return
        self._batcher.called(len(ids))
        reach("before_subscribing")
        self._doubtful = True  # until the answer is in hand
        try:
            results = self._genesys.add_topics(self._grant.id, self._grant.token, [acw_topic(one) for one in ids])
        except NotFound:
            raise
        except PermanentFailure as error:
            self._doubtful = False  # Genesys docs: nothing was added
            self._refused_together(ids, error)
            return
        except NotSent:
            self._doubtful = False
            raise
        self._doubtful, self._refused_in_a_row = False, 0
        reach("subscribed")
        permitted = {conversation_of(result.topic) for result in results if result.permitted}
        reasons = {conversation_of(r.topic): r.reason or "CallerError" for r in results if not r.permitted}
        self._confirm([one for one in ids if one in permitted])
        for one in (one for one in ids if one not in permitted):
            self._refuse(one, reasons.get(one, "not answered"))

    def _refused_together(self, ids: list[str], error: PermanentFailure) -> None:
        """One of them may be the reason, or their number: find out by halves, so that the others are not held up."""
        log.warning("topics_refused", channel=self._grant.id, topics=len(ids), error=str(error))
        if len(ids) > 1:
            self._batch = len(ids) // 2
        elif isinstance(error, TooManyTopics):
            self._displace()
        else:
            self._batch = self._settings.channel_topics
            self._refuse(ids[0], str(error))
            self._refused_in_a_row += 1
            if self._refused_in_a_row > MOST_IN_A_ROW:
                self._failures = self._refused_in_a_row - MOST_IN_A_ROW
                raise error

    def _displace(self) -> None:
        """The server says the list is full although we thought there was room: it knows better."""
        self._read()
        self._limit = len(self._confirmed) + self._foreign
        displaced = [one for one in self._desired if one not in self._confirmed]
        for one in displaced:
            self.drop(one)
        self._tell.displaced(displaced)

    def _confirm(self, ids: list[str]) -> None:
        self._confirmed.update(ids)
        for one in ids:
            self._refusals.permitted(one)
        wanted = [one for one in ids if one in self._desired]
        if wanted and self._open:
            self._tell.covered(wanted)

    def _refuse(self, conversation_id: str, reason: str) -> None:
        if conversation_id in self._desired and self._refusals.add(conversation_id, reason, self._clock.monotonic()):
            self._tell.rejected(conversation_id, reason)

    def _remove(self) -> None:
        """Over the socket, which costs no call of the budget."""
        self._clock.sleep(self._batcher.pause)  # let more come together
        ids = self._leaving()
        if not ids:
            return
        self._doubtful = True
        reach("before_unsubscribing")
        reply = self._unsubscription.request([acw_topic(one) for one in ids])
        if reply.result == "404":  # Genesys: the channel expired, was evicted, or its token ended
            raise NotFound("channel unknown when unsubscribing")
        reach("unsubscribed")
        if reply.worked:
            self._doubtful = False
            self._confirmed.difference_update(ids)

    def _settle(self) -> None:
        """After a doubtful change: say the whole list again, then read it."""
        if not self._frozen:
            apart = self._refusals.ids(self._clock.monotonic())
            self._say([acw_topic(one) for one in self._desired if one not in apart][: self._limit])
        self._read()

    def _say(self, topics: list[str]) -> None:
        try:
            if topics:
                self._genesys.replace_topics(self._grant.id, self._grant.token, topics)
            else:
                self._genesys.clear_topics(self._grant.id, self._grant.token)
        except NotFound:
            raise
        except PermanentFailure as error:  # then the list is as it was, and what is missing is added piece by piece
            log.warning("topics_refused", channel=self._grant.id, topics=len(topics), error=str(error))

    def _read(self) -> None:
        before, doubtful = set(self._confirmed), self._doubtful
        self._unread = False  # whoever asks for it from here on wants a newer list
        self._reading = True
        try:
            topics = self._genesys.topics(self._grant.id, self._grant.token)
        except (TransientFailure, PermanentFailure):
            self._unread = True
            raise
        finally:
            self._reading = False
        listed = {one for one in map(conversation_of, topics) if one}
        self._doubtful = self._stale = False
        self._confirmed = listed
        self._foreign = len(topics) - len(listed)
        missed = [one for one in before - listed if one in self._desired]
        strangers = listed - before - self._desired.keys()
        if not (doubtful or self._frozen) and (missed or strangers):
            self._tell.drifted(len(missed) + len(strangers))
        if missed:
            self._tell.missed(missed)
        self._confirm([one for one in self._desired if one in listed])

    def _hold(self, error: TransientFailure | PermanentFailure) -> None:
        """Change nothing for a while after a failure: longer with each in a row, or as long as the server asked for."""
        self._failures += 1
        wait = getattr(error, "retry_after", None)
        if wait is None:
            # A socket that is lost is reason enough for the failure: with a new one the next try need not wait.
            base, longest = self._settings.retry_base_seconds, self._settings.retry_max_seconds
            wait = full_jitter(self._random, base, longest if self._open else 0, self._failures)
        self._not_before = self._clock.monotonic() + wait
        log.warning("topic_change_delayed", channel=self._grant.id, error=str(error), wait_seconds=round(wait, 3))
