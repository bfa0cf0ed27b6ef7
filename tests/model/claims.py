"""Two instances and one entry of the outbox: claims, leases, and calls to the receiver.

Time passes at any moment, and no process has to do anything before it does, as in the model of ownership. A call that
has begun ends within its time limit, also while its process is stopped: the request is on its way.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: The process, and how its lease ended.
UP, DEAD = "up", "dead"
HELD, LAPSED, LEFT, PROVEN = "held", "lapsed", "left", "proven"
NOBODY = -1

#: Ticks of a lease and of a claim; of the fence by a slow clock; of the longest call to the receiver.
LEASE, SURE, CALL = 4, 3, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of the protocol. Each test that a model can fail changes one of them."""

    #: whether the claims of a lapsed instance end with its lease; else they run out by themselves
    lapsed_claims_end: bool = False
    #: whether a call begins only if it ends within its claim
    within_claim: bool = True
    #: whether an instance counts as proven dead only if its process is gone
    process_gone: bool = True
    #: whether an instance leaves only when its calls have ended
    leaves_last: bool = True
    #: whether the end of a call counts only while its claim is the newest
    newest_only: bool = True


class Instance(NamedTuple):
    """A process, the row of its id, and its call."""

    process: str = UP
    row: str = HELD
    #: ticks since the database renewed the lease, and since the last renewal that the process knows of
    since: int = 0
    known: int = 0
    #: ticks that are left of its claim, as it knows it, and of its call
    claim: int = 0
    call: int = 0
    #: whether its call has not been concluded
    open: bool = False


class World(NamedTuple):
    """Everything at one moment."""

    a: Instance
    b: Instance
    #: the instance whose claim is the newest, and ticks until it runs out
    holder: int = NOBODY
    until: int = 0
    #: how often the receiver's answer was stored
    stored: int = 0


Steps = Iterator[tuple[str, World]]
_NAMES = "AB"


class Claims:
    """The model."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()

    def initial(self) -> Iterable[World]:
        """Both run, and one, it does not matter which, has claimed the entry."""
        yield World(Instance(claim=LEASE), Instance(), holder=0, until=LEASE)

    def broken(self, world: World) -> str | None:
        """Which promise this state breaks."""
        if world.a.call and world.b.call:
            return "two instances send one record at a time"
        if world.stored > 1:
            return "one record is concluded twice"
        return None

    def steps(self, world: World) -> Steps:
        """Each step that may come next."""
        yield "time passes", _tick(world)
        for i, one in enumerate((world.a, world.b)):
            for name, following in self._of_one(world, i, one):
                yield f"{_NAMES[i]} {name}", following

    def _of_one(self, world: World, i: int, one: Instance) -> Steps:
        other = world.a if i else world.b
        if one.process == DEAD:
            proven = one._replace(row=PROVEN) if one.row == HELD else one
            yield "is found dead by its successor", _put(world, i, proven)
            return
        yield "is killed", _put(world, i, one._replace(process=DEAD, claim=0, call=0, open=False))
        if one.row == HELD:
            yield "renews", _put(world, i, one._replace(since=0, known=0))
            yield "renews, and the reply is lost", _put(world, i, one._replace(since=0))
            if not (one.open and self._rules.leaves_last):
                yield "leaves", _put(world, i, one._replace(row=LEFT))
        if other.row == HELD and one.row == HELD and one.known < SURE:
            if other.since >= LEASE:
                yield "declares the other lapsed", _put(world, 1 - i, other._replace(row=LAPSED))
            elif not self._rules.process_gone:
                yield "declares the other proven", _put(world, 1 - i, other._replace(row=PROVEN))
        if one.row == HELD and one.known < SURE and not one.open and not world.stored and self._is_free(world):
            claimed = _put(world, i, one._replace(claim=LEASE))
            yield "claims the entry", claimed._replace(holder=i, until=LEASE)
        if not one.open and one.claim >= (CALL if self._rules.within_claim else 1) and one.row != LEFT:
            yield "begins a call", _put(world, i, one._replace(call=CALL, open=True))
        if one.open:
            yield from self._conclude(world, i, one)

    def _conclude(self, world: World, i: int, one: Instance) -> Steps:
        ended = _put(world, i, one._replace(call=0, claim=0, open=False))
        yield "ends its call, and the answer is not stored", ended
        if one.known < SURE and (world.holder == i or not self._rules.newest_only):
            yield "ends its call and stores the answer", ended._replace(holder=NOBODY, stored=world.stored + 1)

    def _is_free(self, world: World) -> bool:
        if world.holder == NOBODY or world.until == 0:
            return True
        row = (world.b if world.holder else world.a).row
        return row in (LEFT, PROVEN) or (row == LAPSED and self._rules.lapsed_claims_end)


def _tick(world: World) -> World:
    a, b = (
        one._replace(
            since=min(one.since + 1, LEASE),
            known=min(one.known + 1, LEASE),
            claim=max(one.claim - 1, 0),
            call=max(one.call - 1, 0),
        )
        for one in (world.a, world.b)
    )
    return world._replace(a=a, b=b, until=max(world.until - 1, 0))


def _put(world: World, i: int, one: Instance) -> World:
    return world._replace(b=one) if i else world._replace(a=one)
