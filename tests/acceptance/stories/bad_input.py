"""Bad requests over HTTP and raw sockets: each is refused or disconnected as specified, and registers nothing."""

import re

from tests.harness.processes import python, run
from tests.harness.stage import Stage

_ROWS = tuple(f"tests/flow/test_{name}.py" for name in ("bad_input", "smuggling", "slow_clients", "credentials"))


def play(stage: Stage) -> None:
    """Run the flow tests with the tables of bad requests, and count their rows."""
    code, text = run(python("-m", "pytest", "-p", "no:cacheprovider", *_ROWS), 280)
    passed = int((re.findall(r"(\d+) passed", text) or ["0"])[0])
    stage.report.note(f"ran {', '.join(_ROWS)}")
    stage.report.claim("at least 80 rows, each as specified", code == 0 and passed >= 80, f"{passed} rows")
