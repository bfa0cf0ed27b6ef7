"""What is explored: the rules as decided under every fault, and each rule taken away, which must break a promise."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.model import budget, claims, ownership
from tests.model.explorer import Explored, converge, explore

ACTS_AFTER_END = "an instance acts after its lease was declared ended"
TWO_OWNERS = "adopts from an owner whose lease holds: two owners act"
SHOWN = "subscribed is shown although no socket has been open for longer than the doubt"
FORGOTTEN = "a gap is forgotten: the conversation is covered, and no doubt is stored"
TOO_MANY = "more channels are connected than the budget allows"
NEVER = "never settles"
TWO_SENDERS = "two instances send one record at a time"
TWICE = "one record is concluded twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One exploration."""

    name: str
    run: Callable[[], Explored]
    #: end of the sentence that says which promise is broken; None if all are kept
    broken: str | None = None
    #: whether it takes too long for `make test`
    long: bool = False


def _ownership(name: str, rules: ownership.Rules, broken: str | None = None, *, long: bool = False) -> Scenario:
    model = ownership.Ownership(rules)
    return Scenario(name=f"ownership: {name}", run=lambda: explore(model), broken=broken, long=long)


def _budget(name: str, rules: budget.Rules, broken: str | None = None, *, long: bool = False) -> Scenario:
    model = budget.Budget(rules)
    return Scenario(name=f"budget: {name}", run=lambda: converge(model), broken=broken, long=long)


def _claims(name: str, rules: claims.Rules, broken: str | None = None) -> Scenario:
    model = claims.Claims(rules)
    return Scenario(name=f"claims: {name}", run=lambda: explore(model), broken=broken)


_FAST, _SLOW = ownership.SURE - 1, ownership.SURE + 1
_Owned = ownership.Rules
_Shared = budget.Rules
#: What would keep the budget also when two things fail at once; ADR 0028 says why it was not taken.
_STRICT = _Shared(closes_after=budget.LEASE, closes_alone=True)

KEPT = (
    _ownership("no fault, both clocks slow, no hand-over", _Owned(faults=0, planned=False)),
    _ownership("one fault, one clock slow, one fast", _Owned(faults=1, planned=False, fences=(_SLOW, _FAST))),
    _ownership("one fault, both clocks slow", _Owned(faults=1, planned=False), long=True),
    _ownership("hand-over, no fault", _Owned(faults=0, begins_draining=True), long=True),
    _ownership("hand-over, one fault", _Owned(faults=1, begins_draining=True), long=True),
    _ownership("one address, one fault", _Owned(faults=1, planned=False, same_endpoint=True), long=True),
    _ownership("two faults, both clocks slow", _Owned(faults=2, planned=False), long=True),
    _budget("hand-over, no fault", _Shared(faults=0)),
    _budget("one fault", _Shared(faults=1, planned=False)),
    _budget("one fault, stopped for good", _Shared(faults=1, planned=False, resumed=False)),
    _budget("one fault, known company", _Shared(faults=1, closes_alone=True), long=True),
    _budget("two faults, stricter rules", _STRICT, long=True),
    _claims("as decided", claims.Rules()),
)

#: Ways over the budget that are known and accepted (ADR 0027, ADR 0028).
ACCEPTED = (
    _budget("one is alone, loses its database, another starts", _Shared(faults=1, planned=False, alone=True), TOO_MANY),
    _budget("its database away, then stopped", _Shared(planned=False, closes_alone=True), TOO_MANY),
)

_UNPLANNED = _Owned(faults=0, planned=False)
_LEAVING = _Owned(faults=1, begins_draining=True)
_TWO = _Shared(planned=False, closes_alone=True, closes_after=budget.LEASE)

#: Each takes one rule away.
MISSING = (
    _ownership("no check before COMMIT", replace(_UNPLANNED, checked_before_commit=False), ACTS_AFTER_END),
    _ownership("a check for any lease, not for the same", replace(_UNPLANNED, same_lease=False), ACTS_AFTER_END),
    _ownership("transactions may idle", replace(_UNPLANNED, idle_ends=False), ACTS_AFTER_END),
    _ownership("a clock slower than its bound", replace(_UNPLANNED, fences=(4, 4)), ACTS_AFTER_END),
    _ownership("adopting without declaring", replace(_UNPLANNED, declared_first=False), TWO_OWNERS),
    _ownership(
        "a lease is over when the database's clock says so",
        _Owned(faults=1, planned=False, watched=False),
        ACTS_AFTER_END,
    ),
    _ownership("renewing an ended lease", replace(_UNPLANNED, ended_for_good=False), ACTS_AFTER_END),
    _ownership("cover without owner condition", _Owned(faults=0, owner_covers=False), FORGOTTEN),
    _ownership(
        "a free lock alone proves a death",
        _Owned(faults=1, planned=False, same_endpoint=True, process_gone=False),
        ACTS_AFTER_END,
    ),
    _ownership(
        "take-over from an owner in doubt, without doubt", replace(_LEAVING, doubtful_takeover=False), FORGOTTEN
    ),
    _ownership("only the owner may report a gap", replace(_LEAVING, gap_by_anyone=False), FORGOTTEN),
    _ownership("sockets closed before the gap is stored", replace(_LEAVING, uncovers_first=False), FORGOTTEN),
    _ownership("losses forgotten with the lease", replace(_LEAVING, losses_kept=False), FORGOTTEN, long=True),
    _ownership(
        "every renewal vouches for the state shown", _Owned(faults=1, planned=False, renewal_vouches=False), SHOWN
    ),
    _budget(
        "places count until the end of the lease only",
        _Shared(faults=1, planned=False, places_count=budget.LEASE),
        TOO_MANY,
    ),
    _budget("a lost connection proves a death", _Shared(faults=1, planned=False, process_gone=False), TOO_MANY),
    _budget("renewing an ended lease", replace(_TWO, ended_for_good=False), TOO_MANY, long=True),
    _budget("sockets opened behind a closed fence", replace(_TWO, connects_fenced=False), TOO_MANY, long=True),
    _budget("places given back before their sockets close", _Shared(faults=0, closed_before_release=False), TOO_MANY),
    _budget("places without a reply stay reserved", _Shared(faults=1, planned=False, repairs=False), NEVER),
    _claims("claims of a lapsed instance end at once", claims.Rules(lapsed_claims_end=True), TWO_SENDERS),
    _claims("calls beyond the claim", claims.Rules(within_claim=False), TWO_SENDERS),
    _claims("a living process counts as dead", claims.Rules(process_gone=False), TWO_SENDERS),
    _claims("leaving before the last call ends", claims.Rules(leaves_last=False), TWO_SENDERS),
    _claims("the end of a call counts under an older claim", claims.Rules(newest_only=False), TWICE),
)
