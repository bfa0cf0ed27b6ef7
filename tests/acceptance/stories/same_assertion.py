"""One assertion in the file for the whole run: each login gets its token again, or the refusal is final and shown."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gevent import sleep

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

_LIMIT_SECONDS = 30.0
_STORM_SECONDS = 4.0
#: Within this time after the file is replaced there is a token: secrets are read again every 60 s at the latest.
_REPLACED_SECONDS = 60.0
_LOGIN = "/oauth/token"


def play(stage: Stage) -> None:
    """First a Genesys that takes an assertion again, then one that refuses a second use."""
    _taken_again(stage)
    _refused(stage)


def _taken_again(stage: Stage) -> None:
    simulator = stage.simulator()
    file = stage.folder / "assertion-again"
    _write(file)
    content = file.read_bytes()
    gateway = stage.gateway(simulator, {"GENESYS_SAML_ASSERTION_FILE": file}, name="again").start()
    sessions = [_covered(stage, simulator, gateway, "at the start")]
    for name, trouble in _TROUBLES.items():
        trouble(simulator, gateway)
        sessions.append(_covered(stage, simulator, gateway, name))
    simulator.finish_all(sessions)
    simulator.wait_clean(len(sessions), 60)
    stage.report.claim("the file was never replaced", file.read_bytes() == content)
    stage.report.claim("no alarm is left", gateway.metric("assertion_stale") == 0)
    stage.report.note(f"answers of the login host: {_answers(simulator)}")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)
    gateway.stop()


def _stop_and_start(_: Simulator, gateway: Gateway) -> None:
    gateway.stop()
    gateway.start()


def _kill(_: Simulator, gateway: Gateway) -> None:
    gateway.restart_after_kill()


def _revoke(simulator: Simulator, _: Gateway) -> None:
    simulator.control("POST", "/tokens/revoke")


def _storm(simulator: Simulator, gateway: Gateway) -> None:
    simulator.fault("answer", path=_LOGIN, status=503, seconds=_STORM_SECONDS)
    gateway.restart_after_kill()
    sleep(_STORM_SECONDS)


def _client_refused(simulator: Simulator, gateway: Gateway) -> None:
    body = {"error": "invalid_client", "description": "no", "error_description": "no"}
    simulator.fault("answer", path=_LOGIN, status=400, body=body, count=2)
    gateway.restart_after_kill()


def _answer_lost(simulator: Simulator, gateway: Gateway) -> None:
    simulator.fault("reply_lost", path=_LOGIN, count=1)
    gateway.restart_after_kill()


def _killed_while_it_waits(simulator: Simulator, gateway: Gateway) -> None:
    simulator.fault("slow", path=_LOGIN, delaySeconds=3, count=1)
    gateway.restart_after_kill()
    sleep(1)
    gateway.restart_after_kill()


_TROUBLES: dict[str, Callable[[Simulator, Gateway], None]] = {
    "after SIGTERM and a start": _stop_and_start,
    "after kill -9": _kill,
    "after the token was revoked": _revoke,
    "after 503 at the login for 4 s": _storm,
    "after two refusals of our own client": _client_refused,
    "after an answer of the login that was lost": _answer_lost,
    "after kill -9 while the login host answers": _killed_while_it_waits,
}


def _refused(stage: Stage) -> None:
    simulator = stage.simulator({"refuseReplays": "true"})
    file = stage.folder / "assertion-once"
    _write(file)
    gateway = stage.gateway(simulator, {"GENESYS_SAML_ASSERTION_FILE": file}, name="once").start()
    sessions = [_covered(stage, simulator, gateway, "with a Genesys that takes it once")]
    for _ in range(2):
        gateway.restart_after_kill()
        sessions.append(simulator.start())
        gateway.register(sessions[-1].conversation)
        alarm = wait_for(lambda: gateway.metric("assertion_stale") == 1, _LIMIT_SECONDS)
        stage.report.claim("assertion_stale is 1 after a restart", alarm is not None)
        sleep(3)
    answers = _answers(simulator)
    stage.report.claim("the second use was refused, and there was no third", answers == [200, 400], answers)
    _write(file)
    took = simulator.wait_covered(sessions, _REPLACED_SECONDS)
    stage.report.claim("once the file is replaced all is covered", took is not None, f"after {took or -1:.1f} s")
    cleared = wait_for(lambda: gateway.metric("assertion_stale") == 0, _LIMIT_SECONDS)
    stage.report.claim("and assertion_stale is 0", cleared is not None)
    simulator.finish_all(sessions)
    simulator.wait_clean(len(sessions), 60)
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


def _covered(stage: Stage, simulator: Simulator, gateway: Gateway, when: str) -> AgentSession:
    """Claim that a conversation registered now is covered, which needs a token."""
    session = simulator.start()
    gateway.register(session.conversation)
    took = simulator.wait_covered([session], _LIMIT_SECONDS)
    stage.report.claim(f"covered {when}", took is not None, f"{took or -1:.1f} s")
    return session


def _answers(simulator: Simulator) -> list[int]:
    return [call["status"] for call in simulator.ledger("calls") if call["path"] == _LOGIN]


def _write(file: Path) -> None:
    """Write a new assertion that is good for an hour, as the bank's identity provider does."""
    now = datetime.now(UTC)
    dates = f'ID="{now.timestamp()}" NotOnOrAfter="{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"'
    whole = file.with_suffix(".new")
    whole.write_bytes(base64.b64encode(f"<Assertion><Conditions {dates}/></Assertion>".encode()))
    whole.replace(file)
