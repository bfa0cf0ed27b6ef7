"""Claims, ends, requeues, closes, late events and restarts in any order: each record ends once, and none is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import gevent
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from sqlalchemy import Connection, select

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.domain.outbox import Decision, Delivered, GiveUp, NotBegun, TryAgain
from genesys_gateway.runtime.errors import PairedAlready
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import accounting, claims, conversations, dead_letters, intake, outbox
from genesys_gateway.storage.statements.claims import Claim, ReadyEntry
from genesys_gateway.storage.statements.conversations import CLOSED, LOGGED, NO_ACW, Newcomer
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.tables import entry
from tests.doubles.runtime import FakeClock

T = TypeVar("T")

LEASE_MS = 20_000
CONVERSATIONS = st.sampled_from(["c-1", "c-2"])
CUSTOMERS = st.sampled_from(["anna", "ben"])
SESSIONS = st.sampled_from(["s-1", "s-2"])
NOTES = st.sampled_from(["one", "other"])
SOURCES = st.sampled_from([intake.LIVE, intake.BACKFILL])
OWNERS = st.sampled_from(["north", "south"])
DECISIONS: st.SearchStrategy[Decision] = st.one_of(
    st.just(Delivered()),
    st.just(NotBegun()),
    st.builds(GiveUp, reason=st.just("refused"), in_doubt=st.booleans(), error=st.just("HTTP 422")),
    st.builds(
        TryAgain,
        after_ms=st.sampled_from([0, 1000]),
        counted_ms=st.just(1000),
        in_doubt=st.booleans(),
        error=st.just("HTTP 503"),
    ),
)


@dataclass(slots=True)
class Expected:
    """The state of one record that the model expects."""

    state: str = "pending"
    #: the latest claim, and when it expires (epoch milliseconds)
    claim: Claim | None = None
    until: int = 0
    #: content and customer, once the record was or may have been sent
    fixed: tuple[str | None, str | None] | None = None
    #: whether the receiver may have it, according to the attempts so far
    doubt: bool = False


class Outbox(RuleBasedStateMachine):
    """Two instances on one database, as one sequence of their transactions."""

    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.storage = Storage("sqlite://", self.clock)
        self.storage.open()
        self.records: dict[str, Expected] = {}
        self.registered: dict[str, str] = {}

    def teardown(self) -> None:
        self.storage.close()

    def run(self, job: Callable[[Connection], T]) -> T:
        gevent.sleep(0)
        return self.storage.run(job)

    @initialize(note=NOTES)
    def begin(self, note: str) -> None:
        """Start with one record: nearly every rule needs one, and chance would take long to create it."""
        self.register("c-1", "anna")
        self.bring("c-1", "s-1", note, intake.LIVE)

    @rule(one=CONVERSATIONS, customer=CUSTOMERS)
    def register(self, one: str, customer: str) -> None:
        now = self.clock.now()
        newcomer = Newcomer(id=one, customer_id=customer, now=now, due_at=now, deadline_at=now + 10**9)
        try:
            self.run(lambda c: conversations.register(c, newcomer, "north"))
        except PairedAlready:
            assert customer != self.registered[one]
            return
        self.registered[one] = customer

    @rule(one=CONVERSATIONS, session=SESSIONS, note=NOTES, source=SOURCES)
    def bring(self, one: str, session: str, note: str, source: str) -> None:
        """Store an event, from a socket or from an answer of Genesys; the conversation may be closed already."""
        now = self.clock.now()
        event = AcwEvent(
            conversation_id=one, participant_id="p", session_id=session, user_id="u", event_time=1, wrapup_notes=note
        )
        taken = self.run(lambda c: intake.put(c, event, source, now=now, due_at=now, deadline_at=now))
        assert (taken is IntakeResult.UNREGISTERED) == (one not in self.registered)
        assert (taken is IntakeResult.STORED) == (one in self.registered and event.record_id not in self.records)
        if taken is IntakeResult.STORED:
            self.records[event.record_id] = Expected()

    @rule(target=claims, owner=OWNERS, most=st.integers(1, 3))
    def claim(self, owner: str, most: int) -> MultipleResults[Claim]:
        """Read due entries, and claim them in a second transaction."""
        now = self.clock.now()
        due = self.run(lambda c: outbox.due(c, now=now, lease_ms=LEASE_MS, limit=most))
        wanted = [ReadyEntry(entry=one) for one in due]
        made = self.run(lambda c: claims.claim(c, wanted, owner=owner, now=now, lease_ms=LEASE_MS))
        assert len(made) == len(due)
        for one in made:
            self._claimed(one, now)
        return multiple(*made)

    def _claimed(self, claim: Claim, now: int) -> None:
        record = self.records[claim.entry.id]
        assert record.state == "pending"
        assert record.claim is None or record.until <= now, "two claims hold at a time"
        # A claim whose end was never stored leaves the outcome unknown, even if its process still lives.
        assert claim.crashed == (record.claim is not None)
        assert claim.entry.in_doubt == (record.doubt or claim.crashed), "whether to ask the receiver first"
        sent = (claim.entry.content, claim.known.customer_id)
        assert record.fixed in (None, sent), "every attempt sends the same"
        record.claim, record.until, record.fixed = claim, now + LEASE_MS, sent

    @precondition(lambda self: self.records)
    @rule(claim=consumes(claims), decision=DECISIONS)
    def conclude(self, claim: Claim, decision: Decision) -> None:
        record = self.records[claim.entry.id]
        now = self.clock.now()
        late = self.run(lambda c: claims.conclude(c, [(claim, decision)], now=now))
        mine = record.claim is claim
        assert bool(late) != mine, "only the latest claim may write, and it must"
        if not mine:
            return
        record.claim, record.doubt = None, claim.entry.in_doubt
        match decision:
            case Delivered():
                record.state = "delivered"
            case GiveUp():
                record.state, record.doubt = "dead", decision.in_doubt
            case TryAgain():
                record.doubt = decision.in_doubt
            case NotBegun() if not claim.entry.attempt:
                record.fixed = None
            case _:
                pass

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.records)))
        done = self.run(lambda c: dead_letters.requeue(c, one, now=self.clock.now(), why="by hand"))
        assert done == (self.records[one].state == "dead")
        if done:
            self.records[one].state = "pending"
            if not self.records[one].doubt:
                self.records[one].fixed = None

    @rule(one=CONVERSATIONS)
    def close(self, one: str) -> None:
        now = self.clock.now()
        self.run(lambda c: conversations.close(c, one, without_record=NO_ACW, now=now, last_look_at=now))

    @rule(seconds=st.sampled_from([0.5, 2.0, 19.0, 21.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def restart(self) -> None:
        """Restart the only process: no claim holds after that."""
        self.run(outbox.release)
        for record in self.records.values():
            record.until = 0

    @invariant()
    def no_entry_is_lost(self) -> None:
        stored = self.run(lambda c: {row.id: row.state for row in c.execute(select(entry.c.id, entry.c.state))})
        assert stored == {one: record.state for one, record in self.records.items()}

    @invariant()
    def every_registration_is_accounted_for(self) -> None:
        balance = self.run(accounting.balance)
        assert (balance.accepted, balance.unaccounted) == (len(self.registered), 0)

    @invariant()
    def every_closed_conversation_with_a_record_is_logged(self) -> None:
        for one in self.registered:
            view = self.run(lambda c, one=one: conversations.view(c, one))  # type: ignore[misc] # bound in the loop
            assert view is not None
            if view.state == CLOSED:
                assert view.outcome == (LOGGED if view.records else NO_ACW)


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
