"""Half characters, bad UTF-8, NaN, broken and huge JSON in frames and both views: no other record is late for it."""

import time
from collections.abc import Mapping, Sequence

import gevent
from gevent.event import Event

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import JsonClient
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

SECONDS = 300

#: Kind of odd text behind the notes -> what the record's notes must end with.
_READ = {
    "high_half": "\ufffd",
    "low_half": "\ufffd",
    "reversed_halves": "\ufffd\ufffd",
    "half_in_utf8": "\ufffd\ufffd\ufffd",
    "cut_utf8": "\ufffd",
    "not_utf8": "\ufffd",
    "nul": "\ufffd",
    "raw_nul": "\ufffd",
    "raw_control": "\x01",
    # in a field that is not read
    "nan": "",
    "infinity": "",
    "long_number": "",
    "half_key": "",
    "large": "",
}
#: What makes all that is said about the conversation unreadable, where it stands.
_UNREADABLE = ("deep", "no_json")
#: Enough of them where each takes a second.
_FEW = ["high_half", "not_utf8", "nul", "deep"]
_NOTES = "a note"
_LAG = 1.0
_SETTLE = 2.0
#: Seconds by which an unreadable conversation may delay others.
_DELAY = 10.0
#: Seconds within which one that a view can't tell of is recorded from the other view.
_OTHER_VIEW = 60.0
#: Conversations in one bulk answer.
_MANY = 45
_LARGE_BYTES = 900_000


def play(stage: Stage) -> None:
    """First in events, then in live answers, then in bulk answers; each among conversations that are sound."""
    simulator = stage.simulator({"analyticsLagSeconds": _LAG})
    settings = {
        "GATEWAY_QUIET_SECONDS": 1,
        "GATEWAY_RECONCILE_SECONDS": 2,
        "GATEWAY_ANALYTICS_SETTLE_SECONDS": _SETTLE,
    }
    gateway = stage.gateway(simulator, settings).start()
    _events(stage, simulator, gateway)
    _answers(stage, simulator, gateway, "live", 1)
    _answers(stage, simulator, gateway, "analytics", stage.scale.of(full=40, fast=40, small=25))
    if stage.scale is not Scale.SMALL:
        _large(stage, simulator, gateway)
    simulator.wait_clean(len(simulator.ledger("finished")), _OTHER_VIEW)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    judge.each_record_matches_its_work(stage.report, simulator)


def _events(stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
    """Readable ones give a record at once; the others come by asking, and name the same session."""
    kinds = [*_READ, *_UNREADABLE, "half_id"]
    sessions, sound = _started(simulator, gateway, kinds, 10)
    for session, kind in zip(sessions, kinds, strict=True):
        _spoil(simulator, session, "event", kind)
    _finish(simulator, [*sound, *sessions])
    readable = dict(zip(sessions[: len(_READ)], _READ.values(), strict=True))
    _claim(stage, simulator, "events", sound, readable, stage.scale.of(2.0, 2.0, 10.0))
    late = dict.fromkeys(sessions[len(_READ) :], "")
    _claim(stage, simulator, "unreadable events, by asking", (), late, _LAG + _SETTLE + _DELAY)
    simulator.clear_faults()


def _answers(stage: Stage, simulator: Simulator, gateway: Gateway, view: str, others: int) -> None:
    """All events are lost, so every record is found by asking; ``others`` sound ones decide how they are asked."""
    kinds = (
        [*_READ, *_UNREADABLE]
        if view == "analytics"
        else stage.scale.of([*_READ, *_UNREADABLE], [*_READ, *_UNREADABLE], _FEW)
    )
    groups = [kinds] if view == "analytics" else [[kind] for kind in kinds]
    for group in groups:
        sessions, sound = _started(simulator, gateway, group, others)
        for session, kind in zip(sessions, group, strict=True):
            # Where text can be read, both views have it: which of them is asked first depends on what else is due.
            _spoil(simulator, session, view if kind in _UNREADABLE else "[la]*", kind)
        simulator.fault("lose_events")
        _finish(simulator, [*sound, *sessions])
        # Of one that the live view can't tell of, the record may wait until it can; it must not be lost.
        timely = [*_READ, *_UNREADABLE] if view == "analytics" else [*_READ]
        expected = {one: _READ.get(kind, "") for one, kind in zip(sessions, group, strict=True) if kind in timely}
        name = f"{view}, {group[0] if len(group) == 1 else f'{len(sound)} sound ones among {len(group)} odd ones'}"
        _claim(stage, simulator, name, sound, expected, _LAG + _SETTLE + _DELAY)
        simulator.clear_faults()


def _large(stage: Stage, simulator: Simulator, gateway: Gateway) -> None:
    """A bulk answer of nearly 4 MB: nobody else waits while it is read."""
    _, sessions = _started(simulator, gateway, (), _MANY)
    for session in sessions:
        simulator.fault("odd_text", view="analytics", conversation=session.conversation, kind="large", bytes=40_000)
    simulator.fault("lose_events")
    times: list[float] = []
    over = Event()
    asking = gevent.spawn(_ask, gateway, times, over)
    _finish(simulator, sessions)
    _claim(stage, simulator, "large bulk answers", sessions, {}, _LAG + _SETTLE + _DELAY)
    over.set()
    asking.get()
    longest = max(times)
    stage.report.claim("/livez meanwhile within 0.3 s", longest <= 0.3, f"{longest:.3f} s, of {len(times)}")
    simulator.clear_faults()


def _ask(gateway: Gateway, times: list[float], over: Event) -> None:
    client = JsonClient(gateway.url)
    while not over.wait(0.01):
        begun = time.monotonic()
        client.request("GET", "/livez")
        times.append(time.monotonic() - begun)


def _started(
    simulator: Simulator, gateway: Gateway, kinds: Sequence[str], others: int
) -> tuple[list[AgentSession], list[AgentSession]]:
    """One conversation for each kind, and others that stay sound; all of them are covered."""
    sessions = simulator.start_many(len(kinds) + others)
    gateway.register_all(sessions)
    simulator.until_covered(sessions)
    return sessions[: len(kinds)], sessions[len(kinds) :]


def _spoil(simulator: Simulator, session: AgentSession, view: str, kind: str) -> None:
    simulator.fault("odd_text", view=view, conversation=session.conversation, kind=kind, bytes=_LARGE_BYTES)


def _finish(simulator: Simulator, sessions: Sequence[AgentSession]) -> None:
    for session in sessions:
        simulator.wrap_up(session, notes=_NOTES)
        simulator.act(session.conversation, "end")


def _claim(
    stage: Stage,
    simulator: Simulator,
    name: str,
    sound: Sequence[AgentSession],
    odd: Mapping[AgentSession, str],
    seconds: float,
) -> None:
    """Claim that the sound ones have their records in time, and the odd ones theirs with the right notes."""
    took = wait_for(lambda: _notes(simulator).keys() >= {one.session for one in sound}, seconds)
    if sound:
        text = f"{name}: sound ones are not late"
        stage.report.claim(text, took is not None, f"{took or -1:.1f} s for {len(sound)}, at most {seconds:.0f}")
    if not odd:
        return
    wanted = {session.session: _NOTES + end for session, end in odd.items()}
    wait_for(lambda: _notes(simulator).keys() >= wanted.keys(), _OTHER_VIEW)
    found = _notes(simulator)
    wrong = [(text, found.get(one)) for one, text in wanted.items() if found.get(one) != text]
    stage.report.claim(
        f"{name}: odd ones are recorded", not wrong, f"{len(wanted)}, wrong: {wrong}" if wrong else len(wanted)
    )


def _notes(simulator: Simulator) -> dict[str, str]:
    """The notes of each record, by session."""
    records = [entry["record"] for entry in simulator.ledger("records")]
    return {record["body"]["sessionId"]: record["body"]["wrapUpNotes"] for record in records}
