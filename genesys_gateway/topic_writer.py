"""The only writer of one channel's topic list at Genesys.

Law: one change is in flight at a time, whatever carries it; what the server's list holds is *confirmed*, what it shall
hold is *desired*, and a change with a doubtful outcome is settled before the next one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import cast

import orjson
from gevent.event import AsyncResult, Event
from gevent.timeout import Timeout

from genesys_gateway.clock import Clock
from genesys_gateway.errors import Delayed, Refused
from genesys_gateway.events import Reply, acw_topic, conversation_of
from genesys_gateway.genesys import ChannelGrant, Genesys, NotFound, TokenDead, TooManyTopics
from genesys_gateway.logs import get_logger
from genesys_gateway.notification_socket import SocketLost
from genesys_gateway.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterListener:
    """Whom the writer tells what; each is called from the writer's greenlet and must not wait for long."""

    #: these conversations' topics are confirmed while the socket is open
    covered: Callable[[list[str]], None]
    #: these were believed confirmed, and the server's list does not have them
    missed: Callable[[list[str]], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: the channel takes no more; these conversations need another one
    displaced: Callable[[list[str]], None]
    #: the channel can't be used any more
    gone: Callable[[str], None]
    #: send a text over the channel's socket; raises SocketLost
    send: Callable[[str], None]


@dataclass(slots=True)
class _Refusal:
    reason: str
    times: int
    #: monotonic seconds
    retry_at: float


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
        self._refusals: dict[str, _Refusal] = {}
        self._open = False
        self._doubtful = False
        self._unread = False
        self._failures = 0
        self._poked = Event()
        self._stopped = False
        self._correlation = count(1)
        self._awaited: tuple[str, frozenset[str], AsyncResult[Reply]] | None = None
        self._last_wanted = -1e9
        self._next_add = -1e9
        # A writer takes at most two fifths of the calls a minute: 0.5 s between additions at 300 a minute, and a burst
        # is gathered until it pauses for 50 ms, one second at the most.
        self._spacing = 150 / settings.api_rate_per_minute
        self._pause = 15 / settings.api_rate_per_minute
        self._patience = 300 / settings.api_rate_per_minute

    @property
    def size(self) -> int:
        """Topics that count against the channel's room: wanted, in flight, or not yet removed."""
        return len(self._confirmed.union(self._desired))

    @property
    def desired(self) -> tuple[str, ...]:
        """The conversations that the list shall hold, oldest first."""
        return tuple(self._desired)

    @property
    def settled(self) -> bool:
        """Whether everything desired is confirmed by the server's own list, refused topics aside."""
        wanted = self._desired.keys() - self._refusals.keys()
        return self._open and not self._doubtful and not self._unread and wanted <= self._confirmed

    def want(self, conversation_ids: Iterable[str]) -> None:
        """These shall be on the list; a repetition changes nothing."""
        fresh = dict.fromkeys(one for one in conversation_ids if one not in self._desired)
        self._confirmed.difference_update(fresh)  # its removal may be under way: only a new answer counts
        self._desired.update(fresh)
        self._last_wanted = self._clock.monotonic()
        self._poked.set()

    def drop(self, conversation_id: str) -> None:
        """This one shall not be on the list any more; a repetition changes nothing."""
        self._desired.pop(conversation_id, None)
        self._refusals.pop(conversation_id, None)
        self._poked.set()

    def opened(self) -> None:
        """The socket is open. A list that outlived an earlier socket is read before it is believed."""
        self._open = True
        self._unread = self._unread or bool(self._confirmed)
        self._poked.set()

    def lost(self) -> list[str]:
        """The socket is lost.

        Returns:
            The conversations that were covered until then.
        """
        self._open = False
        covered = [one for one in self._desired if one in self._confirmed]
        if self._awaited is not None:
            self._awaited[2].set_exception(SocketLost("lost while a reply was awaited"))
        return covered

    def audit(self) -> None:
        """Read the server's list soon and repair what differs."""
        self._unread = True
        self._poked.set()

    def replied(self, reply: Reply) -> None:
        """A reply came over the socket. Genesys may leave the correlation id out; then the topics must fit."""
        if self._awaited is None:
            return
        correlation_id, topics, result = self._awaited
        same = reply.correlation_id == correlation_id
        if same or (reply.correlation_id is None and frozenset(reply.topics) == topics):
            result.set(reply)

    def taken(self, topics: Iterable[str]) -> list[str]:
        """The server took topics from the list.

        Returns:
            The conversations among them that were believed confirmed and are still desired.
        """
        ids = {one for one in map(conversation_of, topics) if one} & self._confirmed
        self._confirmed -= ids
        self._poked.set()
        return [one for one in ids if one in self._desired]

    def stop(self) -> None:
        """End :meth:`run` soon."""
        self._stopped = True
        self._poked.set()

    def run(self) -> None:
        """The writer's greenlet: change after change until :meth:`stop`."""
        while not self._stopped:
            self._poked.clear()
            try:
                waited = self._step()
                self._failures = 0 if not waited else self._failures
            except (NotFound, TokenDead) as error:
                self._tell.gone(str(error))
                return
            except TooManyTopics:
                self._recount()
            except (Delayed, Refused) as error:
                self._hold(error)

    def _step(self) -> bool:
        """Make one change; True when there was none to make and it only waited."""
        if not self._open:
            self._poked.wait()
            return True
        if self._doubtful:
            self._settle()
        elif self._unread:
            self._read()
        elif self._missing():
            self._add()
        elif leaving := [one for one in self._confirmed if one not in self._desired]:
            self._remove(leaving)
        else:
            self._poked.wait(self._until_retry())
            return True
        return False

    def _missing(self) -> list[str]:
        now = self._clock.monotonic()
        room = self._settings.channel_topics - len(self._confirmed)
        candidates = (
            one
            for one in self._desired
            if one not in self._confirmed and (one not in self._refusals or self._refusals[one].retry_at <= now)
        )
        return list(islice(candidates, max(room, 0)))

    def _gather(self) -> None:
        """Wait while more is being asked for, so that a burst of thousands costs a handful of calls."""
        begun = self._clock.monotonic()
        while not self._stopped:
            now = self._clock.monotonic()
            quiet = self._last_wanted + self._pause
            until = max(self._next_add, min(quiet, begun + self._patience))
            if now >= until:
                return
            self._clock.sleep(until - now)

    def _add(self) -> None:
        self._gather()
        ids = self._missing()
        if not ids:
            return
        self._next_add = self._clock.monotonic() + self._spacing
        self._doubtful = True  # until the answer is in hand
        results = self._genesys.add_topics(self._grant.id, self._grant.token, [acw_topic(one) for one in ids])
        self._doubtful = False
        permitted = {conversation_of(result.topic) for result in results if result.permitted}
        reasons = {conversation_of(r.topic): r.reason or "Rejected" for r in results if not r.permitted}
        self._confirm([one for one in ids if one in permitted])
        for one in ids:
            if one not in permitted:
                self._refuse(one, reasons.get(one, "not answered"))

    def _confirm(self, ids: list[str]) -> None:
        self._confirmed.update(ids)
        for one in ids:
            self._refusals.pop(one, None)
        wanted = [one for one in ids if one in self._desired]
        if wanted and self._open:
            self._tell.covered(wanted)

    def _refuse(self, conversation_id: str, reason: str) -> None:
        before = self._refusals.get(conversation_id)
        times = before.times + 1 if before else 1
        wait = min(self._settings.retry_max_seconds, self._settings.retry_base_seconds * 2.0 ** min(times, 30))
        retry_at = self._clock.monotonic() + wait * self._random.uniform(0.5, 1.0)
        self._refusals[conversation_id] = _Refusal(reason, times, retry_at)
        if before is None or before.reason != reason:
            self._tell.rejected(conversation_id, reason)

    def _remove(self, ids: list[str]) -> None:
        """Over the socket, which costs no call of the budget."""
        self._clock.sleep(self._pause)  # let more come together
        topics = [acw_topic(one) for one in ids]
        correlation_id = str(next(self._correlation))
        awaited: AsyncResult[Reply] = AsyncResult()
        self._awaited = (correlation_id, frozenset(topics), awaited)
        message = {"message": "unsubscribe", "topics": topics, "correlationId": correlation_id}
        self._doubtful = True
        try:
            self._tell.send(orjson.dumps(message).decode())
            with Timeout(self._settings.reply_seconds, Delayed("no reply to unsubscribe")):
                reply = cast(Reply, awaited.get())
        finally:
            self._awaited = None
        if reply.result == "404":  # Genesys: the channel expired, was evicted, or its token ended
            raise NotFound("channel unknown when unsubscribing")
        if reply.worked:
            self._doubtful = False
            self._confirmed.difference_update(ids)

    def _settle(self) -> None:
        """After a doubtful change: say the whole list again, then read it."""
        wanted = [acw_topic(one) for one in islice(self._desired, self._settings.channel_topics)]
        if wanted:
            self._genesys.replace_topics(self._grant.id, self._grant.token, wanted)
        else:
            self._genesys.clear_topics(self._grant.id, self._grant.token)
        self._read()

    def _read(self) -> None:
        before = set(self._confirmed)
        topics = self._genesys.topics(self._grant.id, self._grant.token)
        listed = {one for one in map(conversation_of, topics) if one}
        self._doubtful = self._unread = False
        self._confirmed = listed
        missed = [one for one in before - listed if one in self._desired]
        if missed:
            self._tell.missed(missed)
        self._confirm([one for one in self._desired if one in listed])

    def _recount(self) -> None:
        """The server says the list is full although we thought there was room."""
        self._doubtful = True
        self._read()
        displaced = [one for one in self._desired if one not in self._confirmed]
        for one in displaced:
            del self._desired[one]
        self._tell.displaced(displaced)

    def _hold(self, error: Delayed | Refused) -> None:
        """Wait after a failure, as long as the server asked for, or longer with each failure in a row."""
        self._failures += 1
        longest = min(
            self._settings.retry_max_seconds, self._settings.retry_base_seconds * 2.0 ** min(self._failures, 30)
        )
        asked = error.retry_after if isinstance(error, Delayed) else None
        seconds = asked if asked is not None else self._random.uniform(0, longest)
        log.warning("topic_change_delayed", channel=self._grant.id, error=str(error), wait_seconds=round(seconds, 3))
        if not self._stopped:
            self._poked.clear()
            if not self._open:
                return
            self._clock.sleep(seconds)

    def _until_retry(self) -> float | None:
        """Seconds until a refused topic may be tried again; None when nothing waits for that."""
        times = [refusal.retry_at for one, refusal in self._refusals.items() if one in self._desired]
        return max(0.0, min(times) - self._clock.monotonic()) if times else None
