"""More than one worker: a start that asks for it is refused with a sentence, and no signal makes a second one."""

import signal
from uuid import uuid4

from tests.harness.gateway import Gateway
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

#: Ways to ask for another number of workers, or for a worker that can't keep the promises.
_ASKED = {
    "GUNICORN_CMD_ARGS": ("--workers 2", "-w 3", "--workers=0", "--worker-class sync", "--preload"),
    "WEB_CONCURRENCY": ("2", "4"),
}
#: Signals with which gunicorn changes the number of workers or masters.
_SIGNALS = (signal.SIGTTIN, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2, signal.SIGWINCH)
_COUNT = 100


def play(stage: Stage) -> None:
    """Try every way to have another number of workers."""
    simulator = stage.simulator()
    gateway = stage.gateway(simulator)
    small = stage.scale is Scale.SMALL
    for name, values in list(_ASKED.items())[: 1 if small else None]:
        for value in values[: 1 if small else None]:
            code = gateway.launch(**{name: value}).process.wait(20)
            said = [line.get("reason", "") for line in gateway.log() if line["level"] == "critical"][-1:]
            held = code == 2 and "worker" in str(said)
            stage.report.claim(f"{name}={value}: refused with a sentence", held, f"exit {code}, {said}")
            gateway.forget(name)
    gateway.start()
    before = gateway.process.children()
    noticed = all(_signalled(gateway, number) for number in _SIGNALS)
    statuses = [gateway.register(str(uuid4())).status for _ in range(_COUNT)]
    figure = f"{statuses.count(201)} of {_COUNT} registered, workers {len(gateway.process.children())}"
    held = noticed and gateway.process.children() == before and set(statuses) == {201}
    stage.report.claim("SIGTTIN, SIGTTOU, SIGUSR2 and SIGWINCH change nothing, and are logged", held, figure)
    code = gateway.stop()
    stage.report.claim("SIGTERM still ends it with 0", code == 0, f"exit {code}")


def _signalled(gateway: Gateway, number: signal.Signals) -> bool:
    """Send a signal and wait until it is noticed: of two that wait, Linux would make one."""
    before = _ignored(gateway)
    gateway.process.signal(number)
    return wait_for(lambda: _ignored(gateway) > before, 5) is not None


def _ignored(gateway: Gateway) -> int:
    return sum(line["event"] == "signal_ignored" for line in gateway.log())
