"""Does by hand what a kubelet does with a rendered pod: its container becomes a process, confined like a container.

The process is the first of its namespace of pids, has a read-only file system with the mounts of the pod at their
places, the user and the group of the pod, and no capabilities. Its network is that of this machine. Replaced are only
the addresses that the manifests leave to be filled in, and ``0.0.0.0:8080`` by an address of this machine.

Invariant: arguments, variables, mounts and identity are those of the manifest, and nothing is inherited.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import orjson

from tests.deploy.manifests import container_of, environment_of, pod_of, workload
from tests.harness.gateway import BOFE_TOKEN
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.processes import ROOT, Process, free_port, run
from tests.harness.required import skip_or_fail
from tests.harness.waiting import until

_CONFINE = Path(__file__).with_name("confine.sh")
_NAMESPACES = ("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc")
_PYTHON = f"/run/app/python/bin/python{sysconfig.get_python_version()}"
#: What an image with Python has in its environment.
_IMAGE = {
    "PATH": "/usr/bin:/bin",
    "PYTHONHOME": "/run/app/python",
    "LD_LIBRARY_PATH": "/run/app/python/lib",
    "PYTHONPATH": "/run/app/checkout:/run/app/site",
    "PYTHONDONTWRITEBYTECODE": "1",
}
#: Settings that a placeholder stands for, although the manifests do not name them: the region names three hosts.
_OF_THE_REGION = {"GENESYS_LOGIN_URL", "GENESYS_API_URL", "GENESYS_STREAMING_HOSTS"}


def skip_or_fail_without_namespaces() -> None:
    """Skip the test where processes can't be confined, or fail it where GATEWAY_TEST_REQUIRE_NAMESPACES is set."""
    missing = [name for name in ("unshare", "nsenter", "setpriv", "mountpoint") if shutil.which(name) is None]
    if os.geteuid() == 0 and not missing:
        tried = subprocess.run([*_NAMESPACES, "true"], capture_output=True, timeout=20, check=False)
        if tried.returncode == 0:
            return
    reason = f"processes can't be confined here: it needs root, namespaces and {missing or 'no more'}"
    skip_or_fail(reason, "NAMESPACES")


class Pod:
    """A pod of an overlay, with one container.

    Args:
        folder: Outside of the pod: its log, its volume and what it is made of.
        secrets: The Secret: key to value.
        filled_in: Settings in which the manifests have a placeholder.
        user: Its user and the group of its files; without it, those of the manifest.
    """

    def __init__(
        self,
        overlay: str,
        folder: Path,
        secrets: Mapping[str, str],
        filled_in: Mapping[str, str],
        user: int | None = None,
    ) -> None:
        self._container = container_of(overlay)
        self.port = free_port()
        known = environment_of(overlay)
        bind = known["GATEWAY_BIND"].replace("0.0.0.0:8080", f"127.0.0.1:{self.port}")
        assert set(filled_in) - set(known) <= _OF_THE_REGION
        self.environment = known | dict(filled_in) | {"GATEWAY_BIND": bind}
        self.volume = folder / "volume"
        self.log = folder / "gateway.log"
        self.client = JsonClient(f"http://127.0.0.1:{self.port}", BOFE_TOKEN)
        self._lay_out(overlay, folder, secrets)
        identity = pod_of(overlay)["securityContext"]
        self._user, self._group = str(user or identity["runAsUser"]), str(user or identity["fsGroup"])
        arguments = [*_NAMESPACES, "bash", "-c", 'mounts=$1; shift; exec bash "$@" <"$mounts"', "pod"]
        arguments += [str(folder / "mounts"), str(_CONFINE), str(folder), self._user, self._group]
        arguments.append(self._container["workingDir"])
        self.process = Process([*arguments, *self._command(*self._container["args"])], {}, self.log)

    def _command(self, *arguments: str) -> list[str]:
        variables = [f"{name}={value}" for name, value in (_IMAGE | self.environment).items()]
        return ["env", "-i", *variables, _PYTHON, "-m", "genesys_gateway", *arguments]

    def _lay_out(self, overlay: str, folder: Path, secrets: Mapping[str, str]) -> None:
        (folder / "secret").mkdir(parents=True)
        for key, value in secrets.items():
            (folder / "secret" / key).write_text(value)
        self.volume.mkdir()
        for name, place in {"python": sys.base_prefix, "site": sysconfig.get_path("purelib"), "checkout": ROOT}.items():
            (folder / name).write_text(str(place))
        kinds = {one["name"]: one for one in pod_of(overlay)["volumes"]}
        for claim in workload(overlay)["spec"].get("volumeClaimTemplates", []):
            kinds[claim["metadata"]["name"]] = {}
        lines = [f"{_kind(kinds[one['name']], one['mountPath'])}\n" for one in self._container["volumeMounts"]]
        (folder / "mounts").write_text("".join(lines))

    @property
    def _first(self) -> int:
        """The pid, outside, of the container's first process."""
        return self.process.children()[0]

    def passes(self, probe: str) -> bool:
        """Whether a probe passes."""
        assert self.process.code is None, self.log.read_text()
        try:
            return self.client.request("GET", self._container[probe]["httpGet"]["path"], seconds=5).status == 200
        except NoAnswer:
            return False

    def until_ready(self) -> None:
        """Wait until it would get requests."""
        until(lambda: self.passes("readinessProbe"), 30, "it is ready")

    def execute(self, *arguments: str) -> str:
        """Run a command of the gateway in the container, as ``kubectl exec`` does; it has to succeed."""
        enter = ["nsenter", f"--target={self._first}", "--mount", "--pid", "--uts", f"--setuid={self._user}"]
        code, output = run([*enter, f"--setgid={self._group}", "--", *self._command(*arguments)], 60)
        assert code == 0, output
        return output

    def status(self) -> dict[str, str]:
        """What the kernel says about the container's first process, as in /proc/PID/status."""
        lines = Path(f"/proc/{self._first}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def stop(self, seconds: float) -> int:
        """End it as Kubernetes does after the wait of preStop; returns the exit code."""
        self.client.close()
        os.kill(self._first, signal.SIGTERM)
        return self.process.wait(seconds)

    def events(self) -> list[str]:
        """The events in its log, of which each line has to be JSON."""
        return [orjson.loads(line)["event"] for line in self.log.read_bytes().splitlines()]


def _kind(volume: Mapping[str, Mapping[str, str]], path: str) -> str:
    if "secret" in volume:
        return f"secret {path}"
    if "emptyDir" in volume:
        return f"memory {path} {volume['emptyDir']['sizeLimit'].removesuffix('i').lower()}"
    return f"volume {path}"
