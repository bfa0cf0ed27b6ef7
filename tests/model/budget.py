"""Two instances, two conversations, three channels of one OAuth client: places, sockets, take-over, coverage at last.

A channel carries one conversation here. A transaction is one step: the model of ownership shows that what is committed
behind the fence is committed under a lease. Each process does its work before time passes, unless it is stopped, or its
database is away: those are faults, which begin at any step and end at any step.

Assumed: Genesys drops the socket of a process that is stopped, or of a machine that is dead, within a heartbeat of the
last sign of life; the sockets of a process that is killed are closed at once, by the kernel.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: What a process is. STOPPED also stands for a machine that is dead. LOST: its lease is lost, it must enter anew.
UP, STOPPED, DEAD, LOST = "up", "stopped", "dead", "lost"
#: The lease in the database, or how it ended.
HELD, LAPSED, LEFT = "held", "lapsed", "left"
#: Owner of a conversation: nobody, or an id that has ended.
NOBODY = -1
#: A channel: none, a place without a socket, a socket.
NO, PLACE, OPEN = "no", "place", "open"

BUDGET = 3
#: Ticks of a lease; after so many without a renewal the fence is closed, by an exact clock.
LEASE, SURE = 3, 2
#: Ticks after which Genesys drops a silent socket.
HEARTBEAT = 2
#: Ticks of a lease and nine tenths of a heartbeat.
LATE = LEASE + HEARTBEAT * 9 // 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of the protocol, and what goes wrong. Each test that a model can fail changes one of them."""

    #: faults in all: kills, stops, databases away, lost sockets, lost replies
    faults: int = 2
    #: whether instances are told to stop, so that they hand over
    planned: bool = True
    #: ticks after its last renewal at which an instance closes its sockets, by a slow clock
    closes_after: int = LATE
    #: whether an instance closes them even if it was alone when it last reached the database
    closes_alone: bool = False
    #: whether one may also begin alone
    alone: bool = False
    #: ticks since the renewal until which the places of a lapsed instance count
    places_count: int = LEASE + HEARTBEAT
    #: whether a lease that was declared ended can't be renewed
    ended_for_good: bool = True
    #: whether an instance counts as proven dead only if its process is gone; else a lost connection is enough
    process_gone: bool = True
    #: whether places that were reserved without a reply are given back
    repairs: bool = True
    #: whether the fence is checked before a socket is opened
    connects_fenced: bool = True
    #: whether a place is given back after its socket was closed
    closed_before_release: bool = True
    #: whether stopped processes go on once faults have stopped; else others must do without them
    resumed: bool = True


class Instance(NamedTuple):
    """A process, and the row of its id."""

    process: str = UP
    row: str = HELD
    #: whether its database is away
    away: bool = False
    draining: bool = False
    #: whether it has drained for so long that it must end
    late: bool = False
    #: ticks since the database renewed the lease
    since: int = 0
    #: ticks since the last renewal that the process knows of
    known: int = 0
    #: ticks since its last sign of life to Genesys
    quiet: int = 0
    #: whether another instance was there at the last renewal
    company: bool = True
    #: for each conversation: whether a place is reserved in the database, and the channel as the process knows it
    places: tuple[bool, bool] = (False, False)
    channels: tuple[str, str] = (NO, NO)
    #: places of the id before, which has lapsed, and ticks since its lease was renewed
    before: int = 0
    before_since: int = 0


class Conversation(NamedTuple):
    """A conversation's row."""

    owner: int = NOBODY
    subscribed: bool = False
    next_owner: int = NOBODY


class World(NamedTuple):
    """Everything at one moment."""

    instances: tuple[Instance, Instance]
    conversations: tuple[Conversation, Conversation]
    faults: int


Steps = Iterator[tuple[str, World]]
_NAMES, _TOPICS = "AB", "12"


class Budget:
    """The model."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()

    def initial(self) -> Iterable[World]:
        """Both run; or one runs alone. Nobody follows the conversations yet."""
        both = (Conversation(), Conversation())
        yield World((Instance(), Instance()), both, self._rules.faults)
        if self._rules.alone:
            one = Instance(company=self._rules.closes_alone)
            yield World((one, Instance(process=DEAD, row=LEFT)), both, self._rules.faults)

    def broken(self, world: World) -> str | None:
        """Which promise this state breaks."""
        if sum(one.channels.count(OPEN) for one in world.instances) > BUDGET:
            return "more channels are connected than the budget allows"
        if self._rules.faults == 0 and self._rules.planned:
            for c, conversation in enumerate(world.conversations):
                if conversation.subscribed and all(one.channels[c] != OPEN for one in world.instances):
                    return "a planned hand-over has an uncovered moment"
        return None

    def settled(self, world: World) -> bool:
        """Whether both conversations are covered by instances that go on."""
        return all(self._is_covered(world, c) for c in (0, 1))

    def _is_covered(self, world: World, c: int) -> bool:
        conversation = world.conversations[c]
        if not conversation.subscribed or conversation.owner == NOBODY:
            return False
        owner = world.instances[conversation.owner]
        goes_on = owner.process == UP and owner.row == HELD and not owner.away and not owner.draining
        return goes_on and owner.channels[c] == OPEN

    def steps(self, world: World) -> Steps:
        """Each step that may come next."""
        work = list(self._work(world))
        yield from work
        yield from self._repairs(world)
        if not work:
            yield "time passes", self._tick(world)
        if self._rules.planned:
            yield from _orders(world)
        if world.faults:
            yield from self._faults(world._replace(faults=world.faults - 1))

    def calm_steps(self, world: World) -> Steps:
        """The steps that may come next when there is no further fault."""
        for name, following in self._repairs(world, needed=True):
            yield name, following
            return  # in any order: none depends on another
        work = list(self._work(world))
        yield from work
        if not work:
            yield "time passes", self._tick(world)

    # Time and faults

    def _tick(self, world: World) -> World:
        return world._replace(instances=(self._older(world.instances[0]), self._older(world.instances[1])))

    def _older(self, one: Instance) -> Instance:
        since, known = min(one.since + 1, self._rules.places_count), min(one.known + 1, LEASE + HEARTBEAT)
        before_since = one.before_since + 1 if one.before else 0
        before = one.before if before_since < self._rules.places_count else 0
        quiet = min(one.quiet + 1, HEARTBEAT) if one.process == STOPPED else 0
        dropped = tuple(PLACE if x == OPEN and quiet == HEARTBEAT else x for x in one.channels)
        return one._replace(
            since=since,
            known=known,
            quiet=quiet,
            late=one.draining,
            channels=(dropped[0], dropped[1]),
            before=before,
            before_since=before_since if before else 0,
        )

    def _faults(self, world: World) -> Steps:
        for i, one in enumerate(world.instances):
            name = _NAMES[i]
            if one.process in (UP, LOST):
                killed = one._replace(process=DEAD, away=False, draining=False, late=False, channels=(NO, NO))
                yield f"{name} is killed", _with(world, i, killed)
                yield f"{name} is stopped", _with(world, i, one._replace(process=STOPPED))
                if not one.away:
                    yield f"{name} loses its database", _with(world, i, one._replace(away=True))
            for c in (0, 1):
                if one.channels[c] == OPEN:
                    yield f"{name} loses socket {_TOPICS[c]}", _with(world, i, _channel(one, c, PLACE))
                if one.process == UP and not one.away and self._may_reserve(world, i, one, c):
                    lost = one._replace(places=_at(one.places, c, True))
                    yield f"{name} reserves a place for {_TOPICS[c]}, and the reply is lost", _with(world, i, lost)

    def _repairs(self, world: World, *, needed: bool = False) -> Steps:
        """The ends of faults.

        Args:
            needed: Only those without which nobody is there to do the work.
        """
        for i, one in enumerate(world.instances):
            name = _NAMES[i]
            other = world.instances[1 - i]
            missed = other.process != UP or other.draining
            if one.away:
                yield f"{name} reaches its database again", _with(world, i, one._replace(away=False))
            if one.process == STOPPED and (not needed or self._rules.resumed or missed):
                yield f"{name} goes on", _with(world, i, one._replace(process=UP, quiet=0))
            elif one.process == DEAD and (not needed or missed):
                yield f"{name} starts again", self._enter(world, i, one)

    # What a process does

    def _work(self, world: World) -> Steps:
        for i, one in enumerate(world.instances):
            if one.process == LOST and not one.away:
                yield f"{_NAMES[i]} enters", self._enter(world, i, one)
            if one.process == UP:
                for name, following in self._of_one(world, i, one):
                    yield f"{_NAMES[i]} {name}", following

    def _of_one(self, world: World, i: int, one: Instance) -> Steps:
        opened = one.known < SURE + 1
        if OPEN in one.channels and one.known >= self._rules.closes_after and one.company:
            yield "closes its sockets for want of a lease", _with(world, i, _closed(one))
        if not one.away:
            yield from self._lease(world, i, one)
        for c in (0, 1):
            may_open = opened and _is_wanted(world.conversations[c], i, one)
            if one.channels[c] == PLACE and (may_open or not self._rules.connects_fenced):
                yield f"opens socket {_TOPICS[c]}", _with(world, i, _channel(one, c, OPEN))
            if opened and not one.away and one.row == HELD:
                for name, following in self._of_topic(world, i, one, c):
                    yield f"{name} {_TOPICS[c]}", following

    def _lease(self, world: World, i: int, one: Instance) -> Steps:
        other = world.instances[1 - i]
        if one.known and (one.row == HELD or not self._rules.ended_for_good):
            company = self._rules.closes_alone or other.row == HELD
            yield "renews", _with(world, i, one._replace(row=HELD, since=0, known=0, company=company))
        elif one.row == LAPSED:
            yield "finds its lease lost and closes its sockets", _with(world, i, _closed(one)._replace(process=LOST))
        if one.known < SURE and other.row == HELD and one.row == HELD:
            if other.since >= LEASE:
                yield "declares the other lapsed", _with(world, 1 - i, other._replace(row=LAPSED))
            elif not self._rules.process_gone and other.away:
                yield "declares the other proven", _with(world, 1 - i, other._replace(row=LEFT))
        if one.draining and one.row == HELD and not any(one.places):
            yield "leaves", _with(world, i, _gone(one))

    def _of_topic(self, world: World, i: int, one: Instance, c: int) -> Steps:
        conversation, channel = world.conversations[c], one.channels[c]
        wanted = _is_wanted(conversation, i, one)
        yield from self._own(world, i, one, c)
        if wanted:
            if self._may_reserve(world, i, one, c):
                reserved = _channel(one, c, PLACE)._replace(places=_at(one.places, c, True))
                yield "reserves a place for", _with(world, i, reserved)
            if channel == OPEN and (conversation.owner, conversation.subscribed) != (i, True):
                yield "covers", _row(world, c, Conversation(owner=i, subscribed=True))
        if conversation.owner == i and conversation.subscribed and channel != OPEN:
            yield "uncovers", _row(world, c, conversation._replace(subscribed=False))
        if not wanted and channel == OPEN:
            if not self._rules.closed_before_release and one.places[c]:
                yield "gives back the place of", _with(world, i, one._replace(places=_at(one.places, c, False)))
            else:
                yield "closes the socket of", _with(world, i, _channel(one, c, PLACE))
            return
        unknown = channel == NO and self._rules.repairs
        if one.places[c] and (unknown or (channel == PLACE and not wanted)):
            released = _channel(one, c, NO)._replace(places=_at(one.places, c, False))
            yield "gives back the place of", _with(world, i, released)

    def _own(self, world: World, i: int, one: Instance, c: int) -> Steps:
        """Adopt, take over, or end the own coverage in a hurry."""
        conversation = world.conversations[c]
        other = world.instances[1 - i]
        nobody = conversation.owner == NOBODY or (conversation.owner != i and other.row != HELD)
        next_lives = conversation.next_owner == 1 - i and other.row == HELD and not other.draining
        if not one.draining:
            if nobody and not next_lives:
                yield "adopts", _row(world, c, Conversation(owner=i))
            elif conversation.owner == 1 - i and other.draining and conversation.next_owner != i:
                if conversation.subscribed:
                    yield "begins to take over", _row(world, c, conversation._replace(next_owner=i))
                else:
                    yield "takes over", _row(world, c, Conversation(owner=i))
        elif one.late and conversation.owner == i and conversation.subscribed:
            yield "uncovers in a hurry", _row(world, c, conversation._replace(subscribed=False))

    def _may_reserve(self, world: World, i: int, one: Instance, c: int) -> bool:
        conversation = world.conversations[c]
        if one.places[c] or one.channels[c] != NO or one.row != HELD or one.known >= SURE + 1:
            return False
        takes_over = conversation.next_owner == i and conversation.owner != i
        if not takes_over and conversation.owner != i:
            return False
        kept = 0 if takes_over else 1
        return self._counted(world) < BUDGET - kept

    def _counted(self, world: World) -> int:
        """Places that count against the budget."""
        count = 0
        for one in world.instances:
            counts = one.row == HELD or (one.row == LAPSED and one.since < self._rules.places_count)
            count += one.before + (sum(one.places) if counts else 0)
        return count

    def _enter(self, world: World, i: int, one: Instance) -> World:
        """A new id. A process that starts again at its address has found the one before dead."""
        before, before_since = one.before, one.before_since
        if one.row == LAPSED and one.since < self._rules.places_count and any(one.places):
            before, before_since = before + sum(one.places), min(one.since, before_since) if before else one.since
        draining = one.draining and one.process == LOST
        entered = Instance(draining=draining, late=draining, before=before, before_since=before_since)
        if not self._rules.closes_alone:
            entered = entered._replace(company=world.instances[1 - i].row == HELD)
        world = _with(world, i, entered)
        for c, conversation in enumerate(world.conversations):
            owner, next_owner = conversation.owner, conversation.next_owner
            world = _row(
                world,
                c,
                Conversation(
                    owner=NOBODY if owner == i else owner,
                    subscribed=conversation.subscribed and owner != i,
                    next_owner=NOBODY if next_owner == i else next_owner,
                ),
            )
        return world


def _orders(world: World) -> Steps:
    """A process is told to stop while another one runs."""
    for i, one in enumerate(world.instances):
        other = world.instances[1 - i]
        if one.process == UP and not one.draining and other.process == UP and not other.draining:
            yield f"{_NAMES[i]} is told to stop", _with(world, i, one._replace(draining=True))


def _is_wanted(conversation: Conversation, i: int, one: Instance) -> bool:
    """Whether an instance is to carry a conversation: not one that drains and has nothing to keep covered."""
    mine = i in (conversation.owner, conversation.next_owner)
    return mine and (conversation.subscribed or not one.draining)


def _gone(one: Instance) -> Instance:
    return Instance(process=DEAD, row=LEFT, before=one.before, before_since=one.before_since)


def _closed(one: Instance) -> Instance:
    first, second = (PLACE if channel == OPEN else channel for channel in one.channels)
    return one._replace(channels=(first, second))


def _channel(one: Instance, c: int, channel: str) -> Instance:
    return one._replace(channels=(channel, one.channels[1]) if c == 0 else (one.channels[0], channel))


def _at(places: tuple[bool, bool], c: int, value: bool) -> tuple[bool, bool]:
    return (value, places[1]) if c == 0 else (places[0], value)


def _with(world: World, i: int, one: Instance) -> World:
    first, second = world.instances
    return world._replace(instances=(one, second) if i == 0 else (first, one))


def _row(world: World, c: int, conversation: Conversation) -> World:
    first, second = world.conversations
    return world._replace(conversations=(conversation, second) if c == 0 else (first, conversation))
