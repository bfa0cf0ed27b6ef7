"""Two instances and one conversation: leases, the fence, transactions on their way, adoption and planned take-over.

Time passes at any moment, and no process has to do anything before it does. So a process that is stopped, that is slow
or that has lost its database needs no state of its own: it is one that does nothing for a while. A transaction is on
its way between its last statement and its commit, while its row is locked; the server ends it when it idles.

One conversation is enough: no statement decides about one conversation by the state of another.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tests.model.explorer import Broken

#: What a process knows about itself. DEAD: it is gone, and its sockets with it. LOST: its lease is, it must enter anew.
DEAD, RUNNING, LOST = "dead", "running", "lost"
#: The lease in the database. AGAIN: it was renewed after its end, which no rule may allow.
NONE, HELD, ENDED, AGAIN = "none", "held", "ended", "again"
#: Owner of a conversation that is neither of both instances: nobody yet, or an id that has ended.
NOBODY = -1
#: A topic on a socket. SILENT: the socket is lost, and that is not noticed. GONE: it is noticed, and not yet stored.
NO, OPEN, SILENT, GONE = "no", "open", "silent", "gone"

#: Ticks of a lease; half of it, rounded down, stands for two thirds: the exact fence.
LEASE = 4
SURE = 2
#: Ticks for which a transaction may idle.
IDLE = 1
#: Ticks after which a silent socket is noticed.
HEARTBEAT = 1
#: ``subscribed`` may be shown for so long while no socket is open: until the loss is noticed, and the lease in doubt.
DOUBT = HEARTBEAT + SURE - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of the protocol, and what goes wrong. Each test that a model can fail changes one of them."""

    #: ticks after which each instance closes its fence: SURE, one less for a fast clock, one more for a slow one
    fences: tuple[int, int] = (SURE + 1, SURE + 1)
    #: faults in all: crashes, lost replies, lost sockets, lost connections of leases
    faults: int = 2
    #: whether instances are told to stop, so that they hand over
    planned: bool = True
    #: whether one that was told to stop closes its sockets before others have taken everything
    hurry: bool = True
    #: whether it then stores the gap first
    uncovers_first: bool = True
    #: whether both are processes of one machine that listen at one address
    same_endpoint: bool = False
    #: whether the fence is checked again right before COMMIT
    checked_before_commit: bool = True
    #: whether that check asks for the lease under which the work began, not just for any
    same_lease: bool = True
    #: whether the server ends a transaction that idles
    idle_ends: bool = True
    #: whether only conversations of instances that were declared ended are adopted
    declared_first: bool = True
    #: whether the one that declares an end has itself watched the lease for its whole time; else it believes the
    #: database's clock, which may jump
    watched: bool = True
    #: whether a lease that was declared ended can't be renewed
    ended_for_good: bool = True
    #: whether only the owner, or the next one, covers
    owner_covers: bool = True
    #: whether an instance is proven dead only if its process is gone, not just the lock of its connection
    process_gone: bool = True
    #: whether a take-over from an owner in doubt leaves a doubt
    doubtful_takeover: bool = True
    #: whether an instance may report a gap of a conversation that it no longer owns
    gap_by_anyone: bool = True
    #: whether a renewal vouches for the shown state only while no lost socket is still to be stored
    renewal_vouches: bool = True
    #: whether an instance that has lost its lease still reports what its sockets lost before
    losses_kept: bool = True
    #: whether one instance covers the conversation at the beginning, and is about to stop
    begins_draining: bool = False


class Job(NamedTuple):
    """A transaction."""

    kind: str
    #: whether it began under an id that this process has given up
    old: bool
    #: whether its statement still waits for a lock of somebody else
    waits: bool
    #: ticks since its last statement
    idle: int


class Instance(NamedTuple):
    """A process, and the row of its id."""

    process: str = DEAD
    row: str = NONE
    draining: bool = False
    #: ticks since the database renewed the lease
    since: int = 0
    #: ticks since a renewal that also vouched for the shown state
    sure: int = 0
    #: ticks since the last renewal that the process knows of began
    known: int = 0
    lock: bool = False
    #: its topic on its socket
    topic: str = NO
    job: Job | None = None


class World(NamedTuple):
    """Everything at one moment."""

    a: Instance
    b: Instance
    owner: int = NOBODY
    subscribed: bool = False
    next_owner: int = NOBODY
    #: whether no socket was open at some time, and no doubt about that is stored
    gap: bool = True
    #: ticks since a socket was open
    dark: int = DOUBT + 1
    #: faults still to come
    faults: int = 0


Steps = Iterator[tuple[str, World]]
_NAMES = "AB"
_MOST_DARK = DOUBT + 1


def of(world: World, index: int) -> Instance:
    """One of both instances."""
    return world.b if index else world.a


def put(world: World, index: int, instance: Instance) -> World:
    """The world with one instance changed."""
    return world._replace(b=instance) if index else world._replace(a=instance)


class Ownership:
    """The model."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()

    def initial(self) -> Iterable[World]:
        """Both run; nobody follows the conversation yet, or one is about to hand it over."""
        running = Instance(process=RUNNING, row=HELD, lock=True)
        if not self._rules.begins_draining:
            yield World(a=running, b=running, faults=self._rules.faults)
        else:
            draining = running._replace(draining=True, topic=OPEN)
            yield World(a=draining, b=running, owner=0, subscribed=True, gap=False, dark=0, faults=self._rules.faults)

    def steps(self, world: World) -> Steps:
        """Each step that may come next, with the sockets' state carried on."""
        for name, following in self._all_steps(world):
            yield name, _without_the_needless(_look_at_sockets(following))

    def broken(self, world: World) -> str | None:
        """Which promise this state breaks."""
        if world.dark > DOUBT and _shown(world):
            return "subscribed is shown although no socket has been open for longer than the doubt"
        if world.gap and _calm(world):
            return "a gap is forgotten: the conversation is covered, and no doubt is stored"
        return None

    def _all_steps(self, world: World) -> Steps:
        yield "time passes", self._tick(world)
        for i in (0, 1):
            me = of(world, i)
            for name, following in self._of_one(world, i, me):
                yield f"{_NAMES[i]} {name}", following

    def _of_one(self, world: World, i: int, me: Instance) -> Steps:
        if me.process == RUNNING:
            yield from self._lease(world, i, me)
            yield from self._sockets(world, i, me)
            yield from self._begin(world, i, me)
        elif me.process == LOST or self._may_start(world, i, me):
            yield "enters", _enter(world, i, me)
        if me.job is not None:
            yield from self._go_on(world, i, me, me.job)
        if world.faults:
            yield from _faults(_one_fault_less(world), i, me)
            if not self._rules.watched and me.row == HELD:
                over = put(_one_fault_less(world), i, me._replace(since=LEASE))
                yield "is over its lease, for the database's clock has jumped", over

    def _tick(self, world: World) -> World:
        for i in (0, 1):
            me = of(world, i)
            job = me.job
            if job is not None and not job.waits:
                idle = job.idle + 1
                job = None if idle > IDLE and self._rules.idle_ends else job._replace(idle=min(idle, IDLE))
            since, known, sure = min(me.since + 1, LEASE), min(me.known + 1, LEASE), min(me.sure + 1, SURE)
            world = put(world, i, me._replace(since=since, known=known, sure=sure, job=job))
        return world._replace(dark=min(world.dark + 1, _MOST_DARK))

    def _may_start(self, world: World, i: int, me: Instance) -> bool:
        """A new process in place of a dead one. Under an old lease only if that can be ended."""
        if me.process != DEAD or _is_being_declared(world, i):
            return False
        return me.row in (NONE, ENDED) or self._rules.same_endpoint or me.since >= LEASE

    def _open(self, i: int, me: Instance) -> bool:
        """The fence."""
        return me.process == RUNNING and me.known < self._rules.fences[i]

    # The lease

    def _lease(self, world: World, i: int, me: Instance) -> Steps:
        if not me.lock:
            yield "has its lock again", put(world, i, me._replace(lock=True))
        if me.row == ENDED and not self._rules.ended_for_good:
            yield from self._renew(world, i, me)
        if me.row == ENDED:
            topic = GONE if me.topic in (SILENT, GONE) and self._rules.losses_kept else NO
            yield (
                "finds its lease lost and closes its sockets",
                put(world, i, me._replace(process=LOST, known=LEASE, topic=topic)),
            )
        if me.row in (HELD, AGAIN) and not _is_being_declared(world, i):
            yield from self._renew(world, i, me)
            if self._rules.planned and not me.draining and me.row == HELD:
                yield "is told to stop", put(world, i, me._replace(draining=True))
            if me.draining and me.row == HELD and me.topic == NO and me.job is None:
                yield "leaves", put(world, i, Instance(row=ENDED))

    def _renew(self, world: World, i: int, me: Instance) -> Steps:
        row = AGAIN if me.row == ENDED else me.row
        lost = me.topic == GONE or (me.topic == SILENT and world.dark >= HEARTBEAT)
        vouches = not (lost and self._rules.renewal_vouches)
        renewed = me._replace(row=row, since=0, sure=0 if vouches else me.sure)
        yield "renews", put(world, i, renewed._replace(known=0))
        if world.faults:
            yield "renews, and the reply is lost", put(_one_fault_less(world), i, renewed)

    # Sockets

    def _sockets(self, world: World, i: int, me: Instance) -> Steps:
        mine = i in (world.owner, world.next_owner)
        if me.topic == NO and mine and self._open(i, me):
            yield "subscribes", put(world, i, me._replace(topic=OPEN))
        if me.topic == OPEN and not mine:
            yield "unsubscribes what others own", put(world, i, me._replace(topic=NO))
        if me.topic == OPEN and me.draining and self._rules.hurry and not self._rules.uncovers_first:
            yield "closes its sockets in a hurry", put(world, i, me._replace(topic=GONE))
        if me.topic == OPEN and me.known >= LEASE:
            yield "closes its sockets for want of a lease", put(world, i, me._replace(topic=GONE))

    # Transactions

    def _begin(self, world: World, i: int, me: Instance) -> Steps:
        if me.job is not None or not self._open(i, me):
            return
        for kind in ("adopt", "take", "cover", "uncover", "declare"):
            if self._wanted(kind, world, i, me):
                if not (self._rules.checked_before_commit and self._rules.same_lease):
                    yield f"begins to {kind}", put(world, i, me._replace(job=Job(kind, False, True, 0)))
                if _row_is_free(kind, world, i):
                    yield f"is about to commit {kind}", put(world, i, me._replace(job=Job(kind, False, False, 0)))

    def _go_on(self, world: World, i: int, me: Instance, job: Job) -> Steps:
        if not job.waits:
            yield from self._commit(world, i, me, job)  # or the server rolls it back, as time passes
            return
        yield f"rolls back {job.kind}", put(world, i, me._replace(job=None))
        statement = _row_is_free(job.kind, world, i) and self._wanted(job.kind, world, i, me)
        if statement and self._passes(i, me, job):
            yield f"is about to commit {job.kind}", put(world, i, me._replace(job=job._replace(waits=False)))

    def _passes(self, i: int, me: Instance, job: Job) -> bool:
        """The check before COMMIT."""
        if not self._rules.checked_before_commit:
            return me.process == RUNNING
        return self._open(i, me) and not (job.old and self._rules.same_lease)

    def _wanted(self, kind: str, world: World, i: int, me: Instance) -> bool:
        other = of(world, 1 - i)
        match kind:
            case "adopt":
                return not me.draining and self._is_orphan(world, i) and not self._another_is_next(world, i)
            case "take":
                offered = world.owner == 1 - i and other.row == HELD and other.draining
                return not me.draining and offered and world.next_owner == NOBODY
            case "cover":
                return me.topic == OPEN and not (world.subscribed and world.owner == i)
            case "uncover":
                hurry = me.topic == OPEN and me.draining and self._rules.hurry and self._rules.uncovers_first
                return me.topic in (SILENT, GONE) or hurry
            case _:
                lapsed = other.since >= LEASE
                gone = other.process == DEAD or not self._rules.process_gone
                return other.row == HELD and (lapsed or (self._rules.same_endpoint and not other.lock and gone))

    def _is_orphan(self, world: World, i: int) -> bool:
        if world.owner == NOBODY:
            return True
        owner = of(world, world.owner)
        over = owner.row == ENDED if self._rules.declared_first else owner.since >= LEASE
        return world.owner != i and over

    def _another_is_next(self, world: World, i: int) -> bool:
        if world.next_owner != 1 - i:
            return False
        other = of(world, 1 - i)
        return other.row == HELD and not other.draining

    def _commit(self, world: World, i: int, me: Instance, job: Job) -> Steps:
        after = self._effect(job.kind, world, i)
        # The COMMIT of a dead process may arrive after its end. Its row is locked, so it is as if it had come before.
        if after != world and (job.old or me.row != HELD) and me.process != DEAD:
            raise Broken(f"{_NAMES[i]} commits {job.kind}: an instance acts after its lease was declared ended")
        me = of(after, i)._replace(job=None)
        if job.kind == "uncover":
            if me.process == RUNNING and not job.old:
                yield "commits uncover", put(after, i, me._replace(topic=NO))
            if me.process == DEAD or job.old or world.faults:
                yield "commits uncover, and the reply is lost", put(_one_fault_less(after), i, me)
            return
        yield f"commits {job.kind}", put(after, i, me)

    def _effect(self, kind: str, world: World, i: int) -> World:
        """What it changes. Its row is as its statement found it, because it is locked."""
        match kind:
            case "adopt":
                if (
                    world.owner != NOBODY
                    and of(world, world.owner).row == HELD
                    and of(world, world.owner).since < LEASE
                ):
                    raise Broken(f"{_NAMES[i]} adopts from an owner whose lease holds: two owners act")
                return world._replace(owner=i, subscribed=False, next_owner=NOBODY)
            case "take":
                return world._replace(next_owner=i) if world.subscribed else world._replace(owner=i)
            case "cover":
                allowed = not self._rules.owner_covers or i in (world.owner, world.next_owner)
                return self._covered(world, i) if allowed else world
            case "uncover":
                return self._uncovered(world, i)
            case _:
                return put(world, 1 - i, of(world, 1 - i)._replace(row=ENDED))

    def _covered(self, world: World, i: int) -> World:
        doubt = not world.subscribed
        if world.owner not in (i, NOBODY) and self._rules.doubtful_takeover:
            owner = of(world, world.owner)
            doubt = doubt or owner.row != HELD or not owner.lock or owner.sure >= SURE
        gap = world.gap and not (doubt and of(world, i).topic == OPEN)
        return world._replace(owner=i, subscribed=True, next_owner=NOBODY, gap=gap)

    def _uncovered(self, world: World, i: int) -> World:
        if world.owner == i:
            return world._replace(subscribed=False)
        if self._rules.gap_by_anyone and any(of(world, j).topic == OPEN for j in (0, 1)):
            return world._replace(gap=False)
        return world


def _row_is_free(kind: str, world: World, i: int) -> bool:
    other = of(world, 1 - i).job
    return other is None or other.waits or (kind == "declare") != (other.kind == "declare")


def _is_being_declared(world: World, i: int) -> bool:
    """Whether the row of an instance is locked by a transaction that declares it ended."""
    job = of(world, 1 - i).job
    return job is not None and job.kind == "declare" and not job.waits


def _enter(world: World, i: int, me: Instance) -> World:
    """A new id. What the old one owned belongs to nobody who lives."""
    owner = NOBODY if world.owner == i else world.owner
    next_owner = NOBODY if world.next_owner == i else world.next_owner
    subscribed = world.subscribed and world.owner != i
    job = None if me.job is None or me.process == DEAD else me.job._replace(old=True)
    draining = me.draining and me.process == LOST
    entered = Instance(process=RUNNING, row=HELD, lock=True, draining=draining, topic=me.topic, job=job)
    world = world._replace(owner=owner, next_owner=next_owner, subscribed=subscribed)
    return put(world, i, entered)


def _one_fault_less(world: World) -> World:
    return world._replace(faults=max(world.faults - 1, 0))


def _faults(world: World, i: int, me: Instance) -> Steps:
    if me.process != DEAD:
        yield "crashes", put(world, i, me._replace(process=DEAD, lock=False, topic=NO))
    if me.process == RUNNING and me.lock:
        yield "loses the connection of its lease", put(world, i, me._replace(lock=False))
    if me.topic == OPEN:
        yield "loses its socket without notice", put(world, i, me._replace(topic=SILENT))


def _look_at_sockets(world: World) -> World:
    """Note when no socket is open."""
    if OPEN in (world.a.topic, world.b.topic):
        return world if world.dark == 0 else world._replace(dark=0)
    return world if world.gap else world._replace(gap=True)


def _without_the_needless(world: World) -> World:
    """Give what no step depends on one value, so that there are fewer states."""
    for i in (0, 1):
        me = of(world, i)
        if me.process != RUNNING and me.known != LEASE:
            me = me._replace(known=LEASE)
        if me.row not in (HELD, AGAIN) and me.since != LEASE:
            me = me._replace(since=LEASE, sure=SURE)
        if me is not of(world, i):
            world = put(world, i, me)
    covers = "cover" in (world.a.job and world.a.job.kind, world.b.job and world.b.job.kind)
    if not world.subscribed and not covers and not (world.gap and world.dark == _MOST_DARK):
        return world._replace(gap=True, dark=_MOST_DARK)
    return world


def _shown(world: World) -> bool:
    """Whether the view says ``subscribed``."""
    if not world.subscribed or world.owner == NOBODY:
        return False
    owner = of(world, world.owner)
    return owner.row in (HELD, AGAIN) and owner.lock and owner.sure < SURE


def _calm(world: World) -> bool:
    """Whether the conversation is covered, and nothing about it is still to be stored."""
    if not world.subscribed or world.owner == NOBODY:
        return False
    jobs = world.a.job is not None or world.b.job is not None
    known = {world.a.topic, world.b.topic} <= {NO, OPEN}
    return of(world, world.owner).topic == OPEN and known and not jobs
