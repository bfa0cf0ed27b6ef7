"""`python -m tests.sdk.run`: run clients of Genesys that others wrote against the simulator, each in its own venv.

They are large and not needed for anything else, so they are no dependency: they are installed once, below `build/sdk`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator
from tests.harness.venvs import python_with

_HERE = Path(__file__).parent
_VENVS = ROOT / "build" / "sdk"
#: Seconds after which a client is killed.
_LIMIT_SECONDS = 120

#: The requirements of the official SDK's venv, in which the comparison of speed runs a rival, too.
OFFICIAL = ("PureCloudPlatformClientV2==269.0.0", "websocket-client==1.9.2")
#: The requirements of each script's venv.
_CLIENTS = {
    "official.py": OFFICIAL,
    # Newer releases of websockets lack what this client imports.
    "notifications.py": ("genesys-notifications==1.3", "websockets==13.1"),
}


def main() -> int:
    """Return 0 if every client got what it expects."""
    pythons = {script: python_with(f"sdk/{Path(script).stem}", needs) for script, needs in _CLIENTS.items()}
    simulator = Simulator(_VENVS)
    try:
        return max(_run(python, script, simulator) for script, python in pythons.items())
    finally:
        simulator.stop()


def _run(python: Path, script: str, simulator: Simulator) -> int:
    simulator.control("POST", "/reset")
    simulator.control("PATCH", "/settings", {"analyticsLagSeconds": 0, "heartbeatSeconds": 0.5})
    code = subprocess.run([python, _HERE / script, simulator.url], timeout=_LIMIT_SECONDS).returncode
    sys.stdout.write(f"{script}: {'well' if code == 0 else f'failed ({code})'}\n")
    sys.stdout.flush()
    return abs(code)


if __name__ == "__main__":
    sys.exit(main())
