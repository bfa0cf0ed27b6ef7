"""`python -m tests.deploy.run_image`: runs the built image with podman and runc, and claims what the documents promise.

It needs root, podman and runc, and the image of `deploy/container/image_steps.sh`. Containers and volumes that it makes
are removed.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from tests.deploy.dockerfile import PROJECT, locked, spelt_alike
from tests.deploy.run_page import run_page
from tests.harness import databases
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.judge import customer_of
from tests.harness.processes import free_port
from tests.harness.report import Report, heading
from tests.harness.simulator import Simulator
from tests.harness.waiting import wait_for

_PODMAN = ("podman", "--runtime", "runc")
#: As docs/container.md says. The network and the limits are those of this process, as a sandbox may allow no others.
_OPTIONS = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--network", "host", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000"),
)
_USER = 10001
_PYTHON = "/opt/genesys-gateway/bin/python"
_SECRETS = "/run/secrets"
_TOKENS = {"bofe": "bofe-token-of-the-image-test", "ops": "ops-token-of-the-image-test"}
#: Leaves a process behind whose parent has ended, and which ends after a moment.
_ORPHAN = """
import os, time
if os.fork() == 0:
    if orphan := os.fork():
        os.write(1, str(orphan).encode())
    else:
        os.close(1), os.close(2), time.sleep(0.5)
    os._exit(0)
os.wait()
"""


def podman(*words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run podman to its end."""
    return subprocess.run([*_PODMAN, *words], capture_output=True, text=True, timeout=seconds, check=False)


class Container:
    """A gateway in a container, removed at the end of the ``with`` block. Its port is one of this machine."""

    def __init__(self, image: str, genesys: Simulator, secrets: Path, more: Mapping[str, str], *mounts: str) -> None:
        self.name = f"image-test-{uuid4().hex[:8]}"
        self.port = free_port()
        settings = {
            "GATEWAY_BIND": f"127.0.0.1:{self.port}",
            "GENESYS_LOGIN_URL": genesys.url,
            "GENESYS_API_URL": genesys.url,
            "GENESYS_STREAMING_HOSTS": genesys.url.removeprefix("http://"),
            "GENESYS_GRANT_TYPE": "client-credentials",
            "GENESYS_CLIENT_ID": "simulator-client",
            "GENESYS_CLIENT_SECRET_FILE": f"{_SECRETS}/genesys-client-secret",
            "COMMUNICATION_HISTORY_URL": genesys.history_url,
            "GATEWAY_TOKENS_FILE": f"{_SECRETS}/gateway-tokens",
            "GATEWAY_QUIET_SECONDS": "1",
            **more,
        }
        words = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
        words += [word for mount in (f"{secrets}:{_SECRETS}:ro", *mounts) for word in ("--volume", mount)]
        self._words = [*_OPTIONS, *words, image]
        self.client = JsonClient(f"http://127.0.0.1:{self.port}", _TOKENS["bofe"])

    def __enter__(self) -> "Container":
        started = podman("run", "--detach", "--name", self.name, *self._words)
        if started.returncode:
            raise RuntimeError(started.stderr)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None:
            sys.stderr.write(self.log())
        podman("rm", "--force", self.name)

    def until_ready(self, seconds: float = 30) -> float | None:
        """The seconds until it is ready; None if it is not within ``seconds``."""
        return wait_for(self._ready, seconds)

    def _ready(self) -> bool:
        try:
            return self.client.request("GET", "/readyz", seconds=5).status == 200
        except NoAnswer:
            return False

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the gateway."""
        return podman("exec", self.name, *words)

    def stop(self) -> tuple[int, float]:
        """Stop it with a patience of 35 s; its exit code, and the seconds it took."""
        begun = time.monotonic()
        podman("stop", "--time", "35", self.name)
        took = time.monotonic() - begun
        return int(podman("inspect", "--format", "{{.State.ExitCode}}", self.name).stdout), took

    def log(self) -> str:
        """What it has printed."""
        done = podman("logs", self.name)
        return done.stdout + done.stderr


def what_it_is(report: Report, image: str, version: str) -> None:
    """Claim what `inspect` shows, and that the bill of materials is what the lock says."""
    shown: dict[str, Any] = json.loads(podman("inspect", image).stdout)[0]
    config = shown["Config"]
    report.claim("user", config["User"] == f"{_USER}:{_USER}", config["User"])
    report.claim("no shell", (config["Entrypoint"], config["Cmd"]) == (["genesys-gateway"], ["run"]))
    labels = {name.rpartition(".")[2]: text for name, text in config["Labels"].items()}
    report.claim("label of the version", labels["version"] == version, f"{labels['version']} at {labels['revision']}")

    run = ["run", "--rm", *_OPTIONS]
    told = podman(*run, image, "--version").stdout.strip()
    report.claim("the program says the same version", version in told, told)
    bill = json.loads(podman(*run, "--entrypoint", "cat", image, "/opt/genesys-gateway/sbom.cdx.json").stdout)
    found = {spelt_alike(one["name"]): one["version"] for one in bill["components"]}
    report.claim("bill of materials: what requirements.txt locks", found == locked("requirements.txt"), len(found))
    root = bill["metadata"]["component"]
    report.claim("bill of materials: its subject", (root["name"], root["version"]) == ("genesys-gateway", version))
    missing = podman(*run, "--entrypoint", _PYTHON, image, "-c", "import pip").stderr
    report.claim("no pip", "No module named 'pip'" in missing)
    size = podman(*run, "--entrypoint", "du", image, "-sm", "/opt/genesys-gateway").stdout.split()[0]
    report.note(f"image {int(shown['Size']) / 1e6:.0f} MB with its base, environment {size} MB")


def on_sqlite(report: Report, image: str, genesys: Simulator, secrets: Path) -> None:
    """Claim that it works with one volume, and that a restart finds what it left."""
    volume = f"image-test-{uuid4().hex[:8]}"
    podman("volume", "create", volume)
    try:
        data = f"{volume}:/var/lib/genesys-gateway"
        with Container(image, genesys, secrets, {}, data) as gateway:
            took = gateway.until_ready()
            report.claim("ready on SQLite", took is not None, f"{took or 0:.1f} s")
            conversation = _one_record(report, gateway, genesys)
            _process_one(report, gateway)
            _health(report, gateway)
            code, took = gateway.stop()
            report.claim("SIGTERM ends it with 0 in time", code == 0 and took < 25, f"{code} after {took:.1f} s")
        with Container(image, genesys, secrets, {}, data) as gateway:
            gateway.until_ready()
            told = gateway.run("genesys-gateway", "why", conversation)
            report.claim("a new container finds the data in the volume", told.returncode == 0)
    finally:
        podman("volume", "rm", "--force", volume)


def _one_record(report: Report, gateway: Container, genesys: Simulator) -> str:
    session = genesys.start()
    pair = {"customerId": customer_of(session.conversation), "interactionId": session.conversation}
    status = gateway.client.request("POST", "/customers/supportInteraction", pair).status
    genesys.until_covered([session])
    genesys.finish(session)
    took = genesys.wait_clean(1, 30)
    report.claim("a conversation becomes a record", status == 201 and took is not None, f"{took or 0:.1f} s")
    return session.conversation


def _process_one(report: Report, gateway: Container) -> None:
    words = gateway.run("cat", "/proc/1/cmdline").stdout.split("\0")
    report.claim("process 1 is gunicorn's master", "python:genesys_gateway.serving.gunicorn_conf" in words, words[0])
    shown = gateway.run("cat", "/proc/1/status").stdout
    found = re.findall(r"^(?:Uid|CapEff|NoNewPrivs):\s+(\w+)", shown, re.MULTILINE)
    report.claim("neither root nor capabilities", found == [str(_USER), "0" * 16, "1"], found)
    orphan = gateway.run(_PYTHON, "-c", _ORPHAN).stdout
    # Until its parent has asked for its exit code, a process stays in the list.
    gone = wait_for(lambda: gateway.run("cat", f"/proc/{orphan}/stat").returncode != 0, 10)
    report.claim("process 1 takes in orphans", orphan.isdigit() and gone is not None, f"process {orphan}")
    places = ("/tmp", "/run", "/etc", "/opt", "/home")
    refused = [gateway.run("touch", f"{place}/x").returncode != 0 for place in places]
    report.claim("nothing else can be written, /tmp neither", all(refused))


def _health(report: Report, gateway: Container) -> None:
    done = podman("healthcheck", "run", gateway.name)
    report.claim("healthy", done.returncode == 0, done.stdout.strip())
    command = (_PYTHON, "-I", "-S", "/opt/genesys-gateway/healthcheck.py")
    begun = time.monotonic()
    codes = [gateway.run(*command, path).returncode for path in ("/readyz", "/nothing-here")]
    took = (time.monotonic() - begun) / 2
    report.claim("the check tells 200 from 404", codes == [0, 1], f"{took:.2f} s each, of which most is podman's")
    told = gateway.run("genesys-gateway", "instances")
    report.claim("commands run beside it", told.returncode == 0, told.stdout.strip().splitlines()[:1])


def on_postgresql(report: Report, image: str, genesys: Simulator, secrets: Path) -> None:
    """Claim that it needs no writable folder at all on PostgreSQL."""
    if not databases.reachable():
        report.skip("ready on PostgreSQL", "no server at 127.0.0.1:5432")
        return
    with (
        databases.postgresql() as name,
        Container(image, genesys, secrets, {"DATABASE_URL": databases.url(name)}) as gateway,
    ):
        took = gateway.until_ready()
        report.claim("ready on PostgreSQL, without any volume", took is not None, f"{took or 0:.1f} s")
        code, took = gateway.stop()
        report.claim("SIGTERM ends it with 0", code == 0, f"{code} after {took:.1f} s")


def what_is_wrong(report: Report, image: str, genesys: Simulator, secrets: Path) -> None:
    """Claim what happens without the volume, and with a wrong setting."""
    with Container(image, genesys, secrets, {"GATEWAY_BIND": "nowhere"}) as gateway:
        code = podman("wait", gateway.name).stdout.strip()
        report.claim("a wrong setting ends it with 2", code == "2", code)
    with Container(image, genesys, secrets, {}) as gateway:
        waits = wait_for(lambda: "database_not_there_yet" in gateway.log(), 20)
        report.claim("without its volume it is alive and waits", waits is not None and not gateway.until_ready(1))


def main() -> int:
    """Return 0 if every claim held."""
    version = re.findall(r'__version__ = "(.+)"', (PROJECT / "genesys_gateway/runtime/version.py").read_text())[0]
    image = f"genesys-gateway:{version}"
    if podman("image", "exists", image).returncode:
        sys.stderr.write(f"There is no image {image}: make image-steps builds it.\n")
        return 2
    heading(f"{image} with podman and runc")
    report = Report("image")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        secrets = _secrets(folder / "secrets")
        what_it_is(report, image, version)
        genesys = Simulator(folder)
        try:
            on_sqlite(report, image, genesys, secrets)
            on_postgresql(report, image, genesys, secrets)
            what_is_wrong(report, image, genesys, secrets)
        finally:
            genesys.stop()
    run_page(report)
    return 0 if report.end() else 1


def _secrets(folder: Path) -> Path:
    """A folder that only the user of the image can read."""
    folder.mkdir(mode=0o500)
    texts = {
        "genesys-client-secret": "simulator-secret",
        "gateway-tokens": ",".join(f"{role}:{token}" for role, token in _TOKENS.items()),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o400)
        os.chown(folder / name, _USER, _USER)
    os.chown(folder, _USER, _USER)
    return folder


if __name__ == "__main__":
    sys.exit(main())
