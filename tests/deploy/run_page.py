"""Runs the commands of docs/container.md as they stand, with podman in place of Docker, in a network of their own.

Invariant: what the engine is told differs from the page only by what a sandbox needs: runc, the network of this
process, limits that it may set, and a base image of our own.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deploy.dockerfile import PROJECT
from tests.documents.commands import Block, blocks
from tests.harness.processes import python
from tests.harness.report import Report

PAGE = PROJECT / "docs" / "container.md"
#: What a block's mark says that is run here.
OURS = "needs a container engine; make image-steps runs it"
_SECONDS = 600

_DOCKER = f"""#!/usr/bin/env bash
set -euo pipefail
verb=$1; shift
case $verb in
  build) exec bash {PROJECT}/deploy/container/image_steps.sh "${{@:1:$#-1}}" ;;
  run) set -- --read-only-tmpfs=false --network host --ulimit nofile=1024:4096 --ulimit nproc=1000:1000 "$@" ;;
esac
exec podman --runtime runc "$verb" "$@"
"""

_SETTINGS = """GENESYS_LOGIN_URL=http://127.0.0.1:9000
GENESYS_API_URL=http://127.0.0.1:9000
GENESYS_STREAMING_HOSTS=127.0.0.1:9000
GENESYS_GRANT_TYPE=client-credentials
GENESYS_CLIENT_ID=simulator-client
GENESYS_CLIENT_SECRET_FILE=/run/secrets/genesys-client-secret
COMMUNICATION_HISTORY_URL=http://127.0.0.1:9000/history
GATEWAY_TOKENS_FILE=/run/secrets/gateway-tokens
"""

_BEFORE = """set -euo pipefail
ip link set lo up
until_answer() { for _ in $(seq 150); do curl --silent --fail "$1" >/dev/null && return; sleep 0.2; done; return 1; }
%s &
simulator=$!
trap 'docker rm --force gateway; docker volume rm --force gateway-data; kill $simulator; wait' EXIT
until_answer http://127.0.0.1:9000/_sim/state
exec 3>done
"""


def ours() -> list[Block]:
    """The blocks of the page that are run here, in order."""
    return [block for block in blocks([PAGE]) if block.reason == OURS]


def run_page(report: Report) -> None:
    """Claim that every command of the page does what it should."""
    taken = subprocess.run(["podman", "container", "exists", "gateway"]).returncode == 0
    if taken:
        report.skip("the commands of docs/container.md", "a container is called gateway already")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        command = ["unshare", "--net", "--", "bash", "-c", _script(ours())]
        environment = {"PATH": path, "HOME": os.environ.get("HOME", "/root"), "PYTHONPATH": str(PROJECT)}
        log = folder / "log"
        with log.open("wb") as output:
            code = subprocess.run(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, timeout=_SECONDS
            ).returncode
        done = (folder / "done").read_text().splitlines() if (folder / "done").exists() else []
        for block in ours():
            report.claim(f"commands of {block.fence.place}", block.fence.place in done, len(block.commands))
        if code:
            sys.stderr.write(log.read_text())
            return
        bill = json.loads((folder / "sbom.cdx.json").read_text())
        report.claim("the bill of materials comes out of the image", bill["bomFormat"] == "CycloneDX")


def _prepare(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "docker").write_text(_DOCKER)
    (folder / "bin" / "docker").chmod(0o755)
    (folder / "gateway.env").write_text(_SETTINGS)
    (folder / "genesys-client-secret").write_text("simulator-secret")
    (folder / "gateway-tokens").write_text("bofe:bofe-token-of-the-page-test,ops:ops-token-of-the-page-test")


def _script(found: list[Block]) -> str:
    simulator = shlex.join(python("-m", "genesys_gateway.simulator", "--port", "9000"))
    lines = [_BEFORE % simulator]
    for block in found:
        # `make` is for the checkout; everything else is for a folder of the user.
        place = PROJECT if block.commands[0].startswith("make ") else Path(".")
        lines.append(f"cd {place}\n{block.fence.text}cd - >/dev/null\necho {block.fence.place} >&3")
        if "docker run --detach" in block.fence.text:
            lines.append("until_answer http://127.0.0.1:8080/readyz")
    return "\n".join(lines)
