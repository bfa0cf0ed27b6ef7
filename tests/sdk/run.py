"""Let clients that others wrote talk to the simulator, each in a venv of its own: `python -m tests.sdk.run`.

They are big and none of ours, so they are never a dependency: they are installed below `build/sdk`, once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_VENVS = _ROOT / "build" / "sdk"

#: script -> what its venv needs
_CLIENTS = {
    "official.py": ("PureCloudPlatformClientV2==269.0.0", "websocket-client==1.9.2"),
    # Newer releases of websockets lack what this client imports.
    "notifications.py": ("genesys-notifications==1.3", "websockets==13.1"),
}


def main() -> int:
    """0 when every client got what it wanted."""
    pythons = {script: _python(script, needs) for script, needs in _CLIENTS.items()}
    command = [sys.executable, "-m", "genesys_gateway.simulator", "--port", "0", "--set", "analyticsLagSeconds=0"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as simulator:
        try:
            assert simulator.stdout is not None
            found = re.search(r"http://\S+", simulator.stdout.readline())
            assert found is not None, "the simulator did not start"
            return max(_run(python, script, found[0]) for script, python in pythons.items())
        finally:
            simulator.terminate()


def _run(python: Path, script: str, url: str) -> int:
    urllib.request.urlopen(urllib.request.Request(f"{url}/_sim/reset", method="POST")).close()
    pace = json.dumps({"analyticsLagSeconds": 0, "heartbeatSeconds": 0.5}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/_sim/settings", pace, method="PATCH")).close()
    code = subprocess.run([python, _HERE / script, url], timeout=120).returncode
    sys.stdout.write(f"{script}: {'well' if code == 0 else f'failed ({code})'}\n")
    sys.stdout.flush()
    return abs(code)


def _python(script: str, needs: tuple[str, ...]) -> Path:
    """The interpreter of a venv that has them; made when it is not there or they changed."""
    home = _VENVS / Path(script).stem
    note = home / "installed.txt"
    python = home / "bin" / "python"
    if not note.exists() or note.read_text(encoding="utf-8") != " ".join(needs):
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs]
        subprocess.run(install, check=True)
        note.write_text(" ".join(needs), encoding="utf-8")
    return python


if __name__ == "__main__":
    sys.exit(main())
