"""Decides which questions are asked in a round: about which conversations, in which view, and in which order.

A conversation comes into the plan in one of three ways: it is due, a gap left it in doubt, or its answer in analytics
left something that only the live view decides. All of them become questions of one queue, ordered by the dates at which
they are due. So hundreds in doubt, which are due again later, don't delay one that has ended.

* While calls are plenty, a few due conversations are asked about live, because the live view is up to date; if need be
  they wait a moment for their turns. Many are asked about in bulk through analytics, because live questions may use
  only a part of the calls.
* When calls become few, only conversations that may have ended or had a gap are asked about live, and when they are
  scarce, only those that nothing else decides. The others wait up to a few seconds until there are enough for a full
  bulk question.
* A bulk question that fails is halved: its conversations stay due, and each may be asked about with half as many others
  from then on. A conversation whose question failed with no other in it is asked about live from then on. Finding one
  such conversation among fifty takes about twelve calls. Where no answer came in time, groups shrink faster: each of
  them may cost the whole time limit again.
* While one view rests, the conversations are asked about in the other.

Invariant: pure. A conversation that is due has its question in each plan until it is answered. None waits for a view
that rests if the other is open. Another conversation makes at most six questions about it fail.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from heapq import nsmallest
from itertools import groupby

from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.storage.statements.reconciliation import Due

#: Maximum number of conversations in one bulk question. Genesys does not accept many more.
BULK = 50
#: Maximum number of live questions in a row. For more conversations than this a bulk question costs fewer calls.
LIVE = 5
#: Maximum number of conversations in a bulk question after one to which no answer came in time. With fifty, two such
#: questions find the group with the cause; its members are asked about live.
_AFTER_TIMEOUT = 8
#: A conversation that was covered so soon after its last change (milliseconds) had no gap that matters: it takes that
#: long even under load, and nobody finishes after-call work so soon.
_SHORT_WAIT_MS = 3_000
#: Maximum number of conversations remembered because their bulk question failed.
_REMEMBERED = 2000


class Calls(Enum):
    """How many calls are left for questions."""

    #: most of them are unused
    PLENTY = auto()
    #: about half of them are in use
    FEW = auto()
    #: a call per conversation can't be afforded
    SCARCE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A conversation whose answer of analytics left something to the live view."""

    about: Due
    #: whether analytics will not decide it later either
    for_good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call to make: live about one conversation, or in bulk about several."""

    #: since when its first conversation is due (epoch milliseconds)
    at: int
    live: bool
    about: tuple[Due, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The questions of one round, longest due first."""

    questions: tuple[Question, ...]
    #: whether more live questions wait for their turn
    more: bool
    #: milliseconds until a bulk question that waits for more conversations is asked; None if none waits
    waits_ms: int | None = None


class GroupSizes:
    """Remembers with how many others a conversation may be asked about in bulk, after such a question has failed."""

    def __init__(self) -> None:
        self._most: OrderedDict[str, int] = OrderedDict()
        self._since_answer: set[str] = set()

    def most(self, conversation_id: str) -> int:
        """Maximum number of conversations in a bulk question with this one; 0 if it must be asked about live."""
        return self._most.get(conversation_id, BULK)

    def failed(self, ids: Sequence[str], *, down: bool, timed_out: bool = False) -> None:
        """Note that a bulk question about exactly these conversations failed, and one of them may be the cause.

        Args:
            down: Whether analytics are down: then no conversation is the cause, nor was any since the last answer.
            timed_out: Whether no answer came in time.
        """
        if down:
            for one in self._since_answer:
                self._most.pop(one, None)
            self._since_answer.clear()
            return
        most = _smaller(len(ids), timed_out=timed_out)
        self._since_answer.update(ids)
        for one in ids:
            self._most[one] = most
            self._most.move_to_end(one)
        while len(self._most) > _REMEMBERED:
            self._most.popitem(last=False)

    def answered(self, ids: Sequence[str]) -> None:
        """Lift the limit of all of them, except of a single one: it was not tried together with others."""
        self._since_answer.clear()
        for one in ids if len(ids) > 1 else ():
            self._most.pop(one, None)

    def groups(self, ids: Iterable[str]) -> Iterator[list[str]]:
        """Split conversations into bulk questions, without those to be asked about live."""
        by_size = sorted((one for one in ids if self.most(one)), key=self.most, reverse=True)
        for most, some in groupby(by_size, key=self.most):
            same = list(some)
            yield from (same[start : start + most] for start in range(0, len(same), most))


def _smaller(size: int, *, timed_out: bool) -> int:
    """Maximum size of the next questions after one of this size failed; 0 if the live view is to be asked."""
    if timed_out:
        return _AFTER_TIMEOUT if size > _AFTER_TIMEOUT else 0
    return (size + 1) // 2 if size > 1 else 0


def make_plan(
    *,
    due: Sequence[Due],
    doubtful: Sequence[Due],
    undecided: Iterable[Undecided],
    live: int | None,
    bulk: bool,
    sizes: GroupSizes,
    calls: Calls,
    now: int,
    patience_ms: int,
) -> Plan:
    """Plan one round.

    Args:
        due: Conversations that are due, longest due first.
        doubtful: Conversations in doubt that the live view was not asked about since their gap, and is to be asked
            about.
        undecided: Conversations whose answer of analytics left something to the live view.
        live: Number of live questions that may be asked now; None if the live view rests.
        bulk: Whether analytics may be asked now.
        sizes: What is known from bulk questions that failed.
        now: Epoch milliseconds.
        patience_ms: Milliseconds that a conversation waits for others, unless calls are plenty.
    """
    recent = range(now - patience_ms + 1, now + 1)  # not beyond now: such a date was set by a wrong clock
    rows = {one.id: one for one in due}  # newer than what is remembered about an undecided one
    wanted = (one.about for one in undecided if one.for_good or calls is not Calls.SCARCE)
    alone = {one.id: rows.get(one.id, one) for one in wanted}
    few_wait = live is not None and len(alone.keys() | rows.keys()) <= LIVE  # for a moment at most
    alone |= {one.id: one for one in doubtful}
    in_bulk: set[str] = set()
    if bulk and not (calls is Calls.PLENTY and few_wait):
        few = calls is Calls.FEW
        in_bulk = {one.id for one in due if sizes.most(one.id) and not (few and _goes_live(one, recent))}
    alone |= {one.id: one for one in due if one.id not in in_bulk}
    first = nsmallest(live or 0, alone.values(), key=_due_at)
    questions = [Question(at=one.due_at, live=True, about=(one,)) for one in first]
    in_bulk.difference_update(one.id for one in first)
    groups = _groups({one.id: one for one in due if one.id in in_bulk}, sizes)
    waiting = [] if calls is Calls.PLENTY else [some for some in groups if _is_early(some, sizes, recent)]
    questions += [Question(at=some[0].due_at, live=False, about=some) for some in groups if some not in waiting]
    questions.sort(key=lambda question: (question.at, question.live))
    waits_ms = min((some[0].due_at + patience_ms - now for some in waiting), default=None)
    return Plan(questions=tuple(questions), more=len(alone) > len(first), waits_ms=waits_ms)


def _goes_live(one: Due, recent: range) -> bool:
    """Whether the live view may close it: nothing was asked since its event. It does not wait long for that view."""
    return one.due_at in recent and one.has_record and one.asked == 0


def _groups(rows: Mapping[str, Due], sizes: GroupSizes) -> list[tuple[Due, ...]]:
    return [tuple(rows[one] for one in ids) for ids in sizes.groups(rows)]


def _is_early(some: Sequence[Due], sizes: GroupSizes, recent: range) -> bool:
    """Whether a group is not full, and all of it became due in the ``recent`` milliseconds."""
    return len(some) < sizes.most(some[0].id) and some[0].due_at in recent


def _due_at(one: Due) -> int:
    return one.due_at


def is_fresh(one: Due, follow_ms: int) -> bool:
    """Whether a conversation was covered soon after its registration, or something has come from it since its cover.

    Args:
        follow_ms: Time from a registration or event to the deadline that it sets, in milliseconds.
    """
    return one.covered_at is not None and one.covered_at - changed_at(one, follow_ms) < _SHORT_WAIT_MS


def changed_at(one: Due, follow_ms: int) -> int:
    """When the conversation was registered last, had its last event, or was last shown as going on.

    Args:
        follow_ms: As for :func:`is_fresh`.
    """
    return one.deadline_at - follow_ms


def left_to_live_view(one: Due, finding: Finding, settle_ms: int) -> Undecided | None:
    """What an answer of analytics that did not close the conversation leaves to the live view; None if nothing.

    That is so if they show an end, if its deadline has passed, and if they don't show it although they had the time to.
    """
    covered_since = one.covered_at if one.uncovered_since is None else None
    overdue = covered_since is not None and finding.asked_at >= covered_since + settle_ms
    missing = not finding.shown and (overdue or one.unknown_since is not None)
    unproven = finding.ended and finding.provable_at is None and not finding.over
    for_good = missing or unproven or finding.asked_at >= one.deadline_at
    return Undecided(about=one, for_good=for_good) if for_good or finding.ended else None


def date_of_question(due_at: int, finding: Finding, now: int, *, settle_ms: int, latest_change: int) -> int:
    """The date of the next question (epoch milliseconds), if need be the one on which it can prove the end.

    An answer that shows nothing left to be done, but came too early to prove it, makes questions before the proof
    superfluous.

    Args:
        due_at: The date if nothing was to be proven.
        latest_change: When the conversation changed last (epoch milliseconds): an event came, or it was registered.
            Analytics must have had the time to learn of it, too.
    """
    proof_at = latest_change + settle_ms
    if finding.over:  # something was newer than the answer, maybe something that came meanwhile
        return min(due_at, proof_at if proof_at > now else now + settle_ms)
    if finding.provable_at is None:
        return due_at
    if finding.shows_over:  # one of the clocks is wrong if the proof takes longer than analytics take to settle
        return min(max(finding.provable_at, proof_at, now), now + settle_ms)
    return min(due_at, max(finding.provable_at, now))
