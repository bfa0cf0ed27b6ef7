"""A stop while the gateway starts: SIGTERM is neither lost nor fatal before gunicorn can handle it."""

import signal
from pathlib import Path

from tests.harness.gateway import Gateway
from tests.harness.processes import Process, free_port, python
from tests.harness.waiting import until


def test_sigterm_before_gunicorn_handles_it_ends_the_gateway_as_later(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    settings = Gateway(tmp_path, nobody, {"GENESYS_GRANT_TYPE": "client-credentials"}).environment
    process = Process(python("-m", "genesys_gateway", "run"), settings, tmp_path / "gateway.log")
    try:
        words = Path(f"/proc/{process.pid}/cmdline")
        until(lambda: b":genesys_gateway.serving.gunicorn_conf\0" in words.read_bytes(), what="it became gunicorn")

        process.signal(signal.SIGTERM)

        assert process.wait(30) == 0, process.log.read_text()
        assert '"stopped"' in process.log.read_text()
    finally:
        process.kill()
