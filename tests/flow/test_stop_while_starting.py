"""A stop while the gateway starts: SIGTERM is neither lost nor fatal before anything can handle it."""

import signal
from pathlib import Path

import pytest

from tests.harness.gateway import Gateway
from tests.harness.processes import Process, free_port, python
from tests.harness.waiting import until

#: The configuration of the package, with a worker that takes long before it has handlers of its own.
SLOW_WORKER = """
from genesys_gateway.serving.gunicorn_conf import *

def post_fork(server, worker):
    import time
    print("forked", flush=True)
    time.sleep(1)
"""
#: Part of the line with which ``run`` has become gunicorn.
BECAME_GUNICORN = b":genesys_gateway.serving.gunicorn_conf\0"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    nobody = f"http://127.0.0.1:{free_port()}"
    return dict(Gateway(tmp_path, nobody, {"GENESYS_GRANT_TYPE": "client-credentials"}).environment)


def end(process: Process) -> None:
    """Stop it, and see it end in order; far sooner than after gunicorn's patience of 30 s."""
    try:
        process.signal(signal.SIGTERM)

        assert process.wait(20) == 0
        assert '"stopped"' in process.log.read_text()
    finally:
        process.kill()


def test_sigterm_before_gunicorn_handles_it_ends_the_gateway_as_later(settings: dict[str, str], tmp_path: Path) -> None:
    process = Process(python("-m", "genesys_gateway", "run"), settings, tmp_path / "gateway.log")
    words = Path(f"/proc/{process.pid}/cmdline")
    until(lambda: BECAME_GUNICORN in words.read_bytes(), what="it became gunicorn")

    end(process)


def test_sigterm_for_a_worker_that_was_just_forked_is_not_lost(settings: dict[str, str], tmp_path: Path) -> None:
    configuration = tmp_path / "slow_worker.py"
    configuration.write_text(SLOW_WORKER)
    command = python("-m", "gunicorn", "-c", str(configuration), "genesys_gateway.serving.wsgi:app")
    process = Process(command, settings, tmp_path / "gateway.log")
    until(lambda: "forked" in process.log.read_text(), what="the worker was forked")

    end(process)
