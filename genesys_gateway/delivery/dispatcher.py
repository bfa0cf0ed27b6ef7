"""The dispatcher claims entries of the outbox, hands them to senders, and stores how each attempt ended.

One greenlet does everything that touches the database, in rounds of one transaction each. Eight senders only make
attempts. Names are looked up in greenlets of their own. The docstring of the folder explains how a round goes.

Invariant: every attempt is claimed in the database before it begins. A later round stores how it ended; if none does,
the claim expires and the outcome counts as unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gevent.event import Event
from gevent.queue import Queue

from genesys_gateway.delivery import round as delivery_round
from genesys_gateway.delivery.attempt import Receiver, Sender
from genesys_gateway.delivery.circuit_breaker import CircuitBreaker, State, Transition
from genesys_gateway.delivery.name_lookup import NameLookup, NameSource
from genesys_gateway.delivery.outcome import Policy
from genesys_gateway.delivery.put_off import PutOff
from genesys_gateway.delivery.ready_queue import ReadyQueue
from genesys_gateway.delivery.round import Round, RoundResult, RoundSettings
from genesys_gateway.domain.outbox import Decision, Delivered, GiveUp, NotBegun, Postponed, TryAgain
from genesys_gateway.runtime.clock import Deadline, FallWatch
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.runtime.greenlets import TaskGroup, let_others_run
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SOME, SampledLog
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements.claims import Claim, ReadyEntry

log = get_logger(__name__)

#: Number of senders. Eight keep one process busy; more would only hide latency.
SENDERS = 8
#: Limits of the number of claims held at a time. It begins at the lower one: as many claims wait for a sender as are
#: being sent. If the senders run out of work before a round is over (the database is on a server), it is doubled.
_MIN_CLAIMS, _MAX_CLAIMS = 2 * SENDERS, 8 * SENDERS
#: Maximum number of claims on entries that failed before, so that records that always fail leave senders to the others.
_MAX_REPEATED = SENDERS - 2
#: Number of entries read at a time. More are read once fewer than _READ_BELOW are queued.
_READ_LIMIT, _READ_BELOW = 64, SENDERS
#: The outbox is read at least once in this part of a lease, even if nothing has called :meth:`Delivery.wake`.
_READ_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A claim for a sender."""

    claim: Claim
    lease: Deadline
    probe: bool


class Delivery:
    """Delivers the entries of the outbox: the dispatcher, its senders and the circuit breaker.

    Args:
        history: CommunicationHistory.
        names: Names of agents and wrap-up codes.
        identity: The id of this instance; its claims carry it.
    """

    def __init__(
        self,
        storage: Storage,
        history: Receiver,
        names: NameSource,
        settings: Settings,
        runtime: Runtime,
        *,
        identity: Identity,
    ) -> None:
        self._storage = storage
        self._clock = runtime.clock
        self._logger = SampledLog(log, self._clock, most={"record_dead": SOME})
        self._metrics = runtime.metrics
        self._lease_seconds = settings.lease_seconds
        self._call_seconds = settings.http_timeout_seconds
        self._pause_seconds = settings.retry_base_seconds
        policy = _policy(settings)
        #: whether records may be sent now, and if not, why
        self.breaker = CircuitBreaker(policy)
        self._round_settings = RoundSettings(
            identity=identity, lease_ms=round(settings.lease_seconds * 1000), longest_back_off_ms=policy.max_ms
        )
        self._sender = Sender(history, self.breaker, policy, settings, runtime, breaker_changed=self._breaker_changed)
        self._names = NameLookup(names, settings, runtime, found=self._enqueue, postponed=self._postpone)
        self._queue = ReadyQueue()
        self._jobs: Queue[_Job | None] = Queue()
        #: ids of entries that were read, and neither claimed nor postponed since
        self._held: set[str] = set()
        #: claims of which it is not stored yet how they ended, by entry id
        self._claimed: dict[str, Claim] = {}
        self._ended: list[tuple[Claim, Decision]] = []
        self._postponed: list[Postponed] = []
        #: what could not be done yet, because other transactions had locked the rows
        self._put_off = PutOff()
        #: ids of dead records to make pending again
        self._revive: list[str] = []
        #: whether all entries that wait for another attempt become due in the next round
        self._hasten = False
        #: whether the outbox may hold due entries that are not held or claimed here
        self._unread = True
        #: whether the ready queue had no space for any entry of the last read
        self._no_space = False
        #: monotonic time of the next read, if nothing causes one before
        self._read_at = runtime.clock.monotonic()
        self._claim_limit = _MIN_CLAIMS
        self._database_clock = FallWatch()
        self._wakeup = Event()
        self._dispatcher = TaskGroup("delivery", runtime.on_crash)
        self._senders = TaskGroup("delivery", runtime.on_crash)

    def start(self) -> None:
        """Start delivering, including what an earlier process left unfinished."""
        self._dispatcher.spawn("dispatcher", self._work)
        for n in range(SENDERS):
            self._senders.spawn(f"sender-{n}", self._send)

    def wake(self) -> None:
        """Read the outbox soon: there are new entries. Returns at once."""
        self._unread, self._no_space = True, False
        self._wakeup.set()

    def in_flight(self) -> int:
        """Number of records that are claimed for an attempt, and of which it is not stored yet how it ended."""
        return len(self._claimed)

    def stop(self, seconds: float) -> list[str]:
        """Begin no further attempt; finish those under way and store how they ended, within ``seconds``.

        Returns:
            The names of greenlets that did not end in time. Their entries are in doubt: after the next start they are
            looked up before they are sent.
        """
        deadline = Deadline(self._clock, seconds)
        self._names.stop()
        for _ in range(SENDERS):
            self._jobs.put(None)
        late = self._senders.stop(deadline.left() * 0.8)
        self._wakeup.set()
        return late + self._dispatcher.stop(deadline.left())

    # The senders

    def _send(self) -> None:
        while (job := self._jobs.get()) is not None:
            decision: Decision = NotBegun()
            if not self._senders.stopping:
                decision = self._sender.attempt(job.claim, job.lease, probe=job.probe)
            self._ended.append((job.claim, decision))
            self._wakeup.set()
            # A sender waits for no answer that is there already, and would go on for 30 ms.
            let_others_run()

    def _breaker_changed(self, transition: Transition) -> None:
        self._revive += transition.revive
        self._hasten |= transition.resumed
        self._empty_queue()
        write_log = {State.FLOWING: log.info, State.BROKEN: log.warning}.get(transition.after, log.error)
        write_log("delivery_lane", state=transition.after.value, trouble=self.breaker.trouble)

    # The dispatcher

    def _work(self) -> None:
        self._take_over()
        while True:
            self._wakeup.clear()
            todo = self._plan()
            if not todo.empty:
                self._run(todo)
            elif self._dispatcher.stopping:
                if (pause := self._put_off.seconds(self._clock.monotonic())) is None:
                    return
                self._clock.sleep(pause)
            else:
                self._wakeup.wait(self._idle_seconds())

    def _take_over(self) -> None:
        while not self._dispatcher.stopping:
            try:
                unfinished, ends = self._storage.run(delivery_round.begin)
            except StorageUnavailable as error:
                self._logger.warning("claims_not_released", error=str(error))
                self._dispatcher.wait(error.retry_after)
            else:
                self.breaker.remember(ends, self._clock.monotonic())
                log.info("delivery_started", unfinished=unfinished)
                return

    def _plan(self) -> Round:
        now = self._clock.monotonic()
        if now >= self._read_at:
            self._unread, self._no_space = True, False
            self._read_at = now + self._lease_seconds * _READ_SHARE
        self._repeat(self._put_off.take(now))
        ended, self._ended = self._ended, []
        postponed, self._postponed = self._postponed, []
        revive, self._revive = self._revive, []
        hasten, self._hasten = self._hasten, False
        may_send = not self._senders.stopping and self.breaker.wait(now) == 0
        return Round(
            wanted=self._take_entries(ended) if may_send else (),
            probe=not self.breaker.flowing,
            ended=ended,
            postponed=postponed,
            revive=revive,
            hasten=hasten,
            read=self._how_many_to_read() if may_send else 0,
        )

    def _repeat(self, put_off: Round) -> None:
        self._ended[:0] = put_off.ended
        self._postponed[:0] = put_off.postponed
        self._revive[:0] = put_off.revive
        # They may have changed meanwhile, so read them again.
        self._held.difference_update(one.entry.id for one in put_off.wanted)
        self._unread |= bool(put_off.wanted)

    def _take_entries(self, ended: Sequence[tuple[Claim, Decision]]) -> Sequence[ReadyEntry]:
        if not self.breaker.flowing:
            return self._take_probe()
        done = {claim.entry.id for claim, _ in ended}
        busy = [claim for claim in self._claimed.values() if claim.entry.id not in done]
        repeated = sum(claim.attempt > 1 for claim in busy)
        return self._queue.take(self._claim_limit - len(busy) + self._put_off.ended, _MAX_REPEATED - repeated)

    def _take_probe(self) -> Sequence[ReadyEntry]:
        probe = self._queue.take_probe(self.breaker.probe_rank)
        failed = any(self.breaker.probe_rank(one.entry.id) >= 0 for one in probe)
        names_under_way = len(self._held) > len(self._queue) + len(probe)
        if failed and names_under_way and self.breaker.overdue(self._clock.monotonic()) < self._call_seconds:
            self._queue.add(probe[0])  # one that has not failed may follow in a moment
            return ()
        self._empty_queue()
        return probe

    def _how_many_to_read(self) -> int:
        if (
            not self._unread
            or self._queue.first_attempts >= _READ_BELOW
            or (self._no_space and len(self._queue) >= _READ_BELOW)
        ):
            return 0
        self._unread = False
        return _READ_LIMIT + len(self._held)

    def _idle_seconds(self) -> float:
        now = self._clock.monotonic()
        pause = self._put_off.seconds(now)
        longest = self._lease_seconds if pause is None else pause
        return max(0.0, min(self._read_at - now, self.breaker.wait(now) or self._lease_seconds, longest))

    def _run(self, todo: Round) -> None:
        lease = Deadline(self._clock, self._lease_seconds)
        if todo.wanted:
            reach("before_claim")
        if todo.ended:
            reach("before_marking")
        try:
            done = self._storage.run(partial(delivery_round.commit, todo=todo, round_settings=self._round_settings))
        except StorageUnavailable as error:
            self._logger.warning("delivery_round_not_stored", error=str(error))
            self._undo(todo)
            self._ended[:0] = todo.ended
            self._pause(error.retry_after)
        except Exception:
            # Let the claims of this one round expire: otherwise one bad row would stop all deliveries for ever.
            self._logger.exception("delivery_round_failed")
            self._undo(todo)
            for claim, _ in todo.ended:
                self._claimed.pop(claim.entry.id, None)
            self._pause(self._pause_seconds)
        else:
            self._after_commit(todo, done)
            self._hand_out(done.claims, lease, probe=todo.probe)
            self._hold_due(done)

    def _undo(self, todo: Round) -> None:
        self._unhold(todo)
        self._revive[:0] = todo.revive
        self._hasten |= todo.hasten
        self._unread = True

    def _unhold(self, todo: Round) -> None:
        """Forget the entries that this round claims or postpones. Those that are still due will be read again."""
        self._held.difference_update(one.entry.id for one in todo.wanted)
        self._held.difference_update(one.entry.id for one in todo.postponed)

    def _empty_queue(self) -> None:
        """Drop what is queued: order and due times have changed, so read them again once sending is allowed."""
        queued = self._queue.clear()
        self._held.difference_update(one.entry.id for one in queued)
        self._unread |= bool(queued)  # if nothing was queued, reading again now would find nothing new

    def _pause(self, seconds: float) -> None:
        if self._dispatcher.wait(seconds):
            # The wait returned at once, because delivery is stopping. It is still to be stored how attempts ended.
            self._clock.sleep(self._pause_seconds / 10)

    def _after_commit(self, todo: Round, done: RoundResult) -> None:
        late, busy = set(done.late), done.busy
        self._unhold(todo)
        self._held.update(one.entry.id for one in busy.wanted)
        self._held.update(one.entry.id for one in busy.postponed)
        self._put_off.add(busy, self._clock.monotonic())
        unstored = {claim.entry.id for claim, _ in busy.ended}
        for claim, decision in todo.ended:
            if claim.entry.id in unstored:
                continue
            reach("marked")
            self._claimed.pop(claim.entry.id, None)
            if claim.entry.id in late:
                self._logger.warning("concluded_too_late", **claim.ids)
            else:
                self._count(claim, decision)
            if isinstance(decision, TryAgain):
                self._read_within(decision.after_ms / 1000)
        for one in todo.postponed:
            self._read_within(one.wait_ms / 1000)
        # Waits that were dated before the clock was set back would last longer by as much.
        self._hasten |= self._database_clock.fell(done.at, self._clock.monotonic())
        self._unread |= todo.hasten or bool(todo.revive) or len(done.claims) + len(busy.wanted) < len(todo.wanted)

    def _count(self, claim: Claim, decision: Decision) -> None:
        match decision:
            case Delivered():
                self._metrics.deliveries.labels(outcome="delivered").inc()
            case TryAgain():
                self._metrics.deliveries.labels(outcome="failed").inc()
                self._logger.warning("attempt_failed", error=decision.error, again_ms=decision.after_ms, **claim.ids)
            case GiveUp():
                self._metrics.deliveries.labels(outcome="dead").inc()
                self._logger.error("record_dead", reason=decision.reason, error=decision.error, **claim.ids)
            case NotBegun():
                self._unread = True

    def _hand_out(self, claims: Sequence[Claim], lease: Deadline, *, probe: bool) -> None:
        ready = len(self._jobs)
        if not ready and len(self._claimed) + len(claims) >= self._claim_limit:
            self._claim_limit = min(2 * self._claim_limit, _MAX_CLAIMS)
        elif ready > SENDERS:
            self._claim_limit = max(self._claim_limit - SENDERS, _MIN_CLAIMS)
        for claim in claims:
            reach("claimed")
            if claim.crashed:
                self._metrics.deliveries_ambiguous.inc()
            self._claimed[claim.entry.id] = claim
            if self._senders.stopping:  # since this round began
                self._ended.append((claim, NotBegun()))
                continue
            # Meanwhile the end of another attempt may have let deliveries flow again.
            test = probe and self.breaker.state in (State.BROKEN, State.PAUSED)
            if test:
                self.breaker.begin_probe(claim.entry.id)
            self._jobs.put(_Job(claim=claim, lease=lease, probe=test))

    def _hold_due(self, done: RoundResult) -> None:
        new = [entry for entry in done.due if entry.id not in self._held and entry.id not in self._claimed]
        taken = 0
        for entry in new:
            if self._queue.has_space_for(entry):
                taken += 1
                self._held.add(entry.id)
                self._names.find(entry)
        left = done.full or taken < len(new)
        self._unread |= left
        self._no_space = left and not taken
        if done.next_ms is not None:
            self._read_within(done.next_ms / 1000)

    def _read_within(self, seconds: float) -> None:
        self._read_at = min(self._read_at, self._clock.monotonic() + seconds)

    def _enqueue(self, wanted: ReadyEntry) -> None:
        self._queue.add(wanted)
        self._wakeup.set()

    def _postpone(self, postponed: Postponed) -> None:
        self._postponed.append(postponed)
        self._wakeup.set()


def _policy(settings: Settings) -> Policy:
    return Policy(
        base_ms=round(settings.retry_base_seconds * 1000),
        max_ms=round(settings.retry_max_seconds * 1000),
        limit_ms=round(settings.retry_limit_hours * 3_600_000),
    )
