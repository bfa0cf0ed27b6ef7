"""A simulated CommunicationHistory-manager: stores communication records, and fails in the ways a test requests.

Invariant: `records` holds exactly the stored records, in order; a fault never hides a record that was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent

from genesys_gateway.simulator.clock import Clock, iso
from genesys_gateway.simulator.errors import ConnectionDropped, ControlError
from genesys_gateway.simulator.wire import Answer, Request

#: Modes besides plain status codes, as the control API describes them.
MODES: Mapping[str, str] = {
    "ok": "records are stored: 201, a repeated id 200 (repeatStatus)",
    "down": "connections are cut without an answer, nothing is stored",
    "hang": "never answered, nothing is stored",
    "slow": "stored, answered after delaySeconds",
    "apply_then_reset": "stored, then the connection is cut without an answer",
    "apply_then_hang": "stored, never answered",
    "apply_then_500": "stored, answered 500",
}
_HANG_POLL_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Rule:
    """How the receiver answers some records; a selector that is not given selects all."""

    #: A key of MODES, or a status code as text.
    mode: str = "ok"
    #: Number of POSTs after which the mode returns to `ok`; None: never.
    count: int | None = None
    ids: frozenset[str] = frozenset()
    conversations: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    #: A text that the record's JSON has to contain.
    containing: str = ""
    retry_after: str | None = None
    delay_seconds: float = 1.0

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Rule:
        """Raises ControlError if the mode is unknown."""
        mode = str(wanted.get("mode", "ok"))
        if mode not in MODES and not (mode.isdigit() and 200 <= int(mode) <= 599):
            raise ControlError(f"no such mode: {mode}; there are {', '.join(MODES)} and status codes")
        return cls(
            mode=mode,
            count=wanted.get("count"),
            ids=frozenset(wanted.get("ids", ())),
            conversations=frozenset(wanted.get("conversations", ())),
            customers=frozenset(wanted.get("customers", ())),
            containing=str(wanted.get("containing", "")),
            retry_after=str(wanted["retryAfter"]) if "retryAfter" in wanted else None,
            delay_seconds=float(wanted.get("delaySeconds", 1)),
        )

    def selects(self, record: Mapping[str, Any], text: bytes) -> bool:
        return (
            (not self.ids or record["id"] in self.ids)
            and (not self.conversations or record.get("interactionId") in self.conversations)
            and (not self.customers or record.get("customerId") in self.customers)
            and self.containing.encode() in text
        )

    def use(self) -> str:
        """The mode for one POST; counts it."""
        mode = self.mode
        if self.count is not None and mode != "ok":
            self.count -= 1
            if self.count <= 0:
                self.mode, self.count = "ok", None
        return mode


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """How the receiver answers. Each POST of the control API starts from these defaults."""

    #: How it answers the records that no other rule selects.
    rule: Rule = field(default_factory=Rule)
    #: The first rule that selects a record decides about it.
    rules: tuple[Rule, ...] = ()
    #: False: a record with a repeated id is stored again, as by a receiver without deduplication.
    deduplicate: bool = True
    repeat_status: int = 200
    #: False: GET of one record is answered with `lookup_status`.
    lookup: bool = True
    lookup_status: int = 405
    #: The bearer token that every call must carry; None: no token is needed.
    token: str | None = None

    @property
    def mode(self) -> str:
        return self.rule.mode


@dataclass(slots=True, kw_only=True)
class Receiver:
    """The stored records and all attempts to store one."""

    clock: Clock
    behaviour: Behaviour = field(default_factory=Behaviour)
    records: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)

    def set_behaviour(self, wanted: Mapping[str, Any]) -> None:
        """Replace the behaviour; settings that are not given return to their defaults.

        Raises:
            ControlError: The mode is unknown; nothing was changed.
        """
        self.behaviour = Behaviour(
            rule=Rule.of(wanted),
            rules=tuple(Rule.of(one) for one in wanted.get("rules", ())),
            deduplicate=bool(wanted.get("deduplicate", True)),
            repeat_status=int(wanted.get("repeatStatus", 200)),
            lookup=bool(wanted.get("lookup", True)),
            lookup_status=int(wanted.get("lookupStatus", 405)),
            token=wanted.get("token"),
        )

    @property
    def down(self) -> bool:
        return self.behaviour.mode == "down"

    def post(self, request: Request) -> Answer:
        """Store one record, or fail as the mode says. Raises ConnectionDropped if the mode cuts the connection."""
        behaviour = self.behaviour
        if not self._authorised(request):
            return Answer(status=401, body={"message": "unauthorised"})
        record = _record_of(request)
        if record is None:
            return Answer(status=422, body={"message": "a record is a JSON object with a text `id`"})
        rule = next((one for one in (*behaviour.rules, behaviour.rule) if one.selects(record, request.body)), Rule())
        mode = rule.use()
        stored = self._store(record, request) if mode in ("ok", "slow") or mode.startswith("apply") else None
        attempt = {"at": iso(self.clock.wall()), "id": record["id"], "mode": mode, "stored": stored is not None}
        if traceparent := request.header("traceparent"):
            attempt["traceparent"] = traceparent
        self.attempts.append(attempt)
        return self._answer(mode, stored or 0, behaviour, rule)

    def get(self, record_id: str, request: Request) -> Answer:
        """Answer with one stored record. The modes `down` and `hang` apply; they raise ConnectionDropped."""
        behaviour = self.behaviour
        if behaviour.mode == "down":
            raise ConnectionDropped
        if behaviour.mode == "hang":
            self._hang(behaviour)
        if not self._authorised(request):
            return Answer(status=401, body={"message": "unauthorised"})
        if not behaviour.lookup:
            return Answer(status=behaviour.lookup_status)
        if record_id not in self._ids:
            return Answer(status=404, body={"message": "no such record"})
        return Answer(body=self.records[self._ids[record_id]]["record"])

    def _store(self, record: dict[str, Any], request: Request) -> int:
        """Store a record, unless it is a repetition and deduplication is on; returns the status of the answer."""
        repeated = record["id"] in self._ids
        if repeated and self.behaviour.deduplicate:
            return self.behaviour.repeat_status
        self._ids.setdefault(record["id"], len(self.records))
        self.records.append(
            {
                "receivedAt": iso(self.clock.wall()),
                "idempotencyKey": request.header("Idempotency-Key") or None,
                "record": record,
            }
        )
        return 201

    def _answer(self, mode: str, stored: int, behaviour: Behaviour, rule: Rule) -> Answer:
        if mode in ("down", "apply_then_reset"):
            raise ConnectionDropped
        if mode in ("hang", "apply_then_hang"):
            self._hang(behaviour)
        if mode == "slow":
            gevent.sleep(self.clock.wall_seconds(rule.delay_seconds))
        headers = {"Retry-After": rule.retry_after} if rule.retry_after else {}
        if mode == "apply_then_500":
            return Answer(status=500, headers=headers)
        if mode.isdigit():
            if mode.startswith("3"):
                headers["Location"] = "/sorry"
            return Answer(status=int(mode), body={"message": f"told to answer {mode}"}, headers=headers)
        return Answer(status=stored, body={"stored": stored == 201}, headers=headers)

    def _hang(self, behaviour: Behaviour) -> None:
        # Until the behaviour is replaced. A client that disconnects meanwhile is noticed only then.
        while self.behaviour is behaviour:
            gevent.sleep(_HANG_POLL_SECONDS)
        raise ConnectionDropped

    def _authorised(self, request: Request) -> bool:
        wanted = self.behaviour.token
        return wanted is None or request.header("Authorization") == f"Bearer {wanted}"


def _record_of(request: Request) -> dict[str, Any] | None:
    try:
        record = request.json()
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) else None
