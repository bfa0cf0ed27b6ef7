"""The Kubernetes manifests are valid for the published schemas, fit each other, and fit the service."""

import ipaddress
import re
import subprocess
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import kubernetes_validate
import orjson
import pytest
import yaml

from genesys_gateway.runtime.version import __version__
from genesys_gateway.settings import Settings, variable
from genesys_gateway.settings.secret import REREAD_SECONDS, Secret
from tests.deploy.manifests import (
    FOLDER,
    OVERLAYS,
    POSTGRESQL,
    SQLITE,
    Json,
    container_of,
    environment_of,
    of_kind,
    one_of,
    pod_of,
    rendered,
    restricted_violations,
    run_kubectl,
    selects,
    settings_of,
    with_components,
    workload,
)
from tests.harness.processes import ROOT

#: The oldest release with the sleep of preStop, one in the middle, and the newest whose schemas are published.
VERSIONS = ("1.30.0", "1.34.0", kubernetes_validate.latest_version())
#: docs/operations.md: the gateway ends within 25 s of SIGTERM.
DRAIN_SECONDS = 25
#: Variables of other programs in the container.
FOREIGN = {"SQLITE_TMPDIR"}
#: Networks that are reserved for documentation (RFC 5737).
NOWHERE = [ipaddress.IPv4Network(one) for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()

both = pytest.mark.parametrize("overlay", OVERLAYS)


def secret() -> Json:
    """The Secret that the command in the document makes."""
    command = re.search(r"kubectl create secret generic (?:.*\\\n)*.*", PAGE)
    assert command is not None
    words = re.sub(r"--from-file=(\S+)", r"--from-literal=\1=x", command[0].replace("\\\n", " ")).split()
    made: Json = yaml.safe_load(run_kubectl(*words[1:], "--dry-run=client", "--output=yaml"))
    return made


def schema_mistake(resource: Json, version: str) -> str | None:
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return error.message
    return None


# The published schemas


@pytest.mark.parametrize("version", VERSIONS)
@both
def test_every_resource_is_valid_for_the_published_schema(overlay: str, version: str) -> None:
    assert {one["metadata"]["name"]: schema_mistake(one, version) for one in rendered(overlay)} == {
        one["metadata"]["name"]: None for one in rendered(overlay)
    }


def test_a_misspelled_field_and_a_wrong_type_are_noticed() -> None:
    misspelled = deepcopy(workload(SQLITE))
    misspelled["spec"]["template"]["spec"]["terminationGracePeriod"] = 35
    wrong = deepcopy(workload(SQLITE))
    wrong["spec"]["replicas"] = "one"

    assert "terminationGracePeriod" in (schema_mistake(misspelled, VERSIONS[-1]) or "")
    assert "one" in (schema_mistake(wrong, VERSIONS[-1]) or "")


@both
def test_the_optional_components_fit_the_overlay(overlay: str, tmp_path: Path) -> None:
    resources = with_components(overlay, tmp_path)

    monitor = one_of(resources, "ServiceMonitor")
    service = one_of(resources, "Service")
    labels = service["metadata"]["labels"]
    assert selects(monitor["spec"]["selector"], labels)
    assert labels[monitor["spec"]["jobLabel"]] == "genesys-gateway", "the job that alerts and board expect"
    assert [(one["port"], one["path"]) for one in monitor["spec"]["endpoints"]] == [
        (service["spec"]["ports"][0]["name"], "/metrics")
    ]
    known = [one for one in resources if one["kind"] != "ServiceMonitor"]  # it is not part of Kubernetes
    assert [schema_mistake(one, VERSIONS[-1]) for one in known] == [None] * len(known)
    assert open_ports(resources)["genesys-gateway-genesys"] == {(443, "0.0.0.0/0")}


# Names and settings


@both
def test_every_variable_is_a_setting(overlay: str) -> None:
    known = {variable(field.name) for field in fields(Settings) if "read" in field.metadata} | {"GENESYS_ENVIRONMENT"}
    files = {f"{name}_FILE" for name in known}

    assert {name for name in environment_of(overlay) if name not in known | files | FOREIGN} == set()


@both
def test_each_secret_file_is_in_the_secret_that_the_document_makes(overlay: str) -> None:
    pod, container = pod_of(overlay), container_of(overlay)
    (volume,) = (one for one in pod["volumes"] if "secret" in one)
    (mount,) = (one for one in container["volumeMounts"] if one["name"] == volume["name"])
    made = secret()

    paths = {Path(value) for name, value in environment_of(overlay).items() if name.endswith("_FILE")}
    assert volume["secret"]["secretName"] == made["metadata"]["name"]
    assert workload(overlay)["metadata"]["namespace"] == made["metadata"]["namespace"]
    assert paths
    assert {path.name for path in paths} <= set(made["data"])
    assert {str(path.parent) for path in paths} == {mount["mountPath"]}
    assert mount["readOnly"]


def test_a_changed_secret_is_found_through_the_links_of_its_volume(tmp_path: Path) -> None:
    """The kubelet writes a new folder, and then replaces the link to it."""
    now = 0.0
    for folder, text in (("..1", "old"), ("..2", "new")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tokens").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "tokens").symlink_to("..data/tokens")
    found = Secret("old", file=tmp_path / "tokens", monotonic=lambda: now)

    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")

    assert found.reveal() == "old"
    now += REREAD_SECONDS
    assert found.reveal() == "new"


def test_no_secret_is_among_the_settings() -> None:
    for overlay in OVERLAYS:
        named = [name for name in settings_of(overlay) if re.search("SECRET|TOKENS?$|PASSWORD", name)]
        assert named == []
    assert "DATABASE_URL" not in settings_of(POSTGRESQL)


@both
def test_each_name_that_is_referred_to_exists(overlay: str) -> None:
    pod, container, resources = pod_of(overlay), container_of(overlay), rendered(overlay)
    claims = [one["metadata"]["name"] for one in workload(overlay)["spec"].get("volumeClaimTemplates", [])]

    assert pod["serviceAccountName"] == one_of(resources, "ServiceAccount")["metadata"]["name"]
    assert [one["configMapRef"]["name"] for one in container["envFrom"]] == [
        one["metadata"]["name"] for one in of_kind(resources, "ConfigMap")
    ]
    assert {one["name"] for one in container["volumeMounts"]} == {*(one["name"] for one in pod["volumes"]), *claims}
    assert workload(overlay)["spec"].get("serviceName") in (None, one_of(resources, "Service")["metadata"]["name"])


@both
def test_a_changed_setting_rolls_the_pods(overlay: str) -> None:
    name = one_of(rendered(overlay), "ConfigMap")["metadata"]["name"]

    assert re.fullmatch(r"genesys-gateway-settings-[a-z0-9]{10}", name)


@both
def test_the_image_is_that_of_this_release(overlay: str) -> None:
    container = container_of(overlay)

    assert container["image"] == f"registry.bank.example/genesys-gateway:{__version__}"
    assert container["args"] == ["run"]
    assert "command" not in container, "the image's entry point starts the gateway"
    assert workload(overlay)["metadata"]["labels"]["app.kubernetes.io/version"] == __version__


@both
def test_what_can_never_be_changed_does_not_name_the_release(overlay: str) -> None:
    spec = workload(overlay)["spec"]

    never = [spec["selector"], *spec.get("volumeClaimTemplates", [])]
    assert __version__ not in str(never)


# Probes and ports


@both
def test_probes_ask_what_the_service_answers(overlay: str) -> None:
    container = container_of(overlay)
    described = orjson.loads((ROOT / "docs" / "openapi.json").read_bytes())["paths"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {name: one["path"] for name, one in asked.items()} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {one["path"] for one in asked.values()} <= set(described)
    assert {one["port"] for one in asked.values()} == {container["ports"][0]["name"]}


@both
def test_the_ports_agree(overlay: str) -> None:
    (port,) = container_of(overlay)["ports"]
    (of_service,) = one_of(rendered(overlay), "Service")["spec"]["ports"]

    assert environment_of(overlay)["GATEWAY_BIND"] == f"0.0.0.0:{port['containerPort']}"
    assert of_service["targetPort"] == port["name"]
    assert of_service["port"] == port["containerPort"]


@both
def test_a_start_may_migrate_for_ten_minutes_and_a_hang_is_ended_in_two(overlay: str) -> None:
    startup, liveness = container_of(overlay)["startupProbe"], container_of(overlay)["livenessProbe"]

    assert startup["periodSeconds"] * startup["failureThreshold"] >= 600
    assert 30 <= liveness["periodSeconds"] * liveness["failureThreshold"] <= 120


# The end, and updates


@both
def test_the_grace_is_enough_for_the_wait_and_the_drain(overlay: str) -> None:
    wait = container_of(overlay)["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert "ends within 25 s" in (ROOT / "docs" / "operations.md").read_text()
    assert wait >= 3, "endpoints take some seconds to be removed everywhere"
    assert wait + DRAIN_SECONDS + 5 <= pod_of(overlay)["terminationGracePeriodSeconds"]


def test_sqlite_never_has_two_pods() -> None:
    found = workload(SQLITE)

    assert found["kind"] == "StatefulSet", "a Deployment may start a second pod before the first has ended"
    assert found["spec"]["replicas"] == 1
    assert found["spec"]["podManagementPolicy"] == "Parallel", "else a pod with a wrong setting blocks the right one"
    (claim,) = found["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    (mount,) = (one for one in container_of(SQLITE)["volumeMounts"] if one["name"] == claim["metadata"]["name"])
    assert environment_of(SQLITE)["DATABASE_URL"] == f"sqlite:///{mount['mountPath']}/gateway.db"
    assert environment_of(SQLITE)["SQLITE_TMPDIR"] == mount["mountPath"]


def test_an_update_takes_no_instance_away_before_the_new_one_is_there() -> None:
    spec = workload(POSTGRESQL)["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["minReadySeconds"] > pod_of(POSTGRESQL)["terminationGracePeriodSeconds"], "one drains at a time"
    startup = container_of(POSTGRESQL)["startupProbe"]
    assert spec["progressDeadlineSeconds"] > startup["periodSeconds"] * startup["failureThreshold"]


def test_one_of_two_may_be_evicted() -> None:
    budget = one_of(rendered(POSTGRESQL), "PodDisruptionBudget")["spec"]

    assert budget["maxUnavailable"] == 1 < workload(POSTGRESQL)["spec"]["replicas"]
    assert selects(budget["selector"], labels_of(POSTGRESQL))
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert of_kind(rendered(SQLITE), "PodDisruptionBudget") == [], "it would block every drain of a node"


def test_two_are_never_on_one_node() -> None:
    constraints = pod_of(POSTGRESQL)["topologySpreadConstraints"]

    assert all(selects(one["labelSelector"], labels_of(POSTGRESQL)) for one in constraints)
    assert [(one["topologyKey"], one["whenUnsatisfiable"], one["maxSkew"]) for one in constraints] == [
        ("kubernetes.io/hostname", "DoNotSchedule", 1),
        ("topology.kubernetes.io/zone", "ScheduleAnyway", 1),
    ]
    assert constraints[0]["matchLabelKeys"] == ["pod-template-hash"], "else the pods of the old release would count"


# Least privilege


@both
def test_the_pod_keeps_the_standard_restricted_and_more(overlay: str) -> None:
    pod, container = pod_of(overlay), container_of(overlay)

    assert list(restricted_violations(pod)) == []
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["automountServiceAccountToken"] is False
    assert one_of(rendered(overlay), "ServiceAccount")["automountServiceAccountToken"] is False
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (10001, 10001)
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("pod", {"hostNetwork": True}),
        ("pod", {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}),
        ("pod", {"securityContext": {}}),
        ("container", {"securityContext": {"allowPrivilegeEscalation": True, "capabilities": {"drop": ["ALL"]}}}),
        ("container", {"securityContext": {"allowPrivilegeEscalation": False}}),
        ("container", {"ports": [{"containerPort": 8080, "hostPort": 8080}]}),
    ],
)
def test_a_pod_that_breaks_the_standard_is_noticed(where: str, change: dict[str, Any]) -> None:
    pod = deepcopy(pod_of(SQLITE))
    (pod if where == "pod" else pod["containers"][0]).update(change)

    assert list(restricted_violations(pod)) != []


@both
def test_resources_are_asked_for_as_measured(overlay: str) -> None:
    resources = container_of(overlay)["resources"]

    assert "An instance needs one core and 256 MB" in (ROOT / "docs" / "several-instances.md").read_text()
    assert resources["requests"] == {"cpu": "500m", "memory": "256Mi"}
    assert resources["limits"] == {"memory": "512Mi"}


# The network


def labels_of(overlay: str) -> dict[str, str]:
    found: dict[str, str] = workload(overlay)["spec"]["template"]["metadata"]["labels"]
    return found


def open_ports(resources: tuple[Json, ...]) -> dict[str, set[tuple[int, str]]]:
    """The ports and addresses that each policy lets the pods connect to."""
    found: dict[str, set[tuple[int, str]]] = {}
    for policy in of_kind(resources, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            addresses = {peer["ipBlock"]["cidr"] if "ipBlock" in peer else "pods" for peer in rule["to"]}
            found.setdefault(policy["metadata"]["name"], set()).update(
                (port["port"], address) for port in rule["ports"] for address in addresses
            )
    return found


@both
def test_every_policy_and_service_selects_the_pods(overlay: str) -> None:
    labels = labels_of(overlay)
    policies = of_kind(rendered(overlay), "NetworkPolicy")

    assert selects(workload(overlay)["spec"]["selector"], labels)
    assert selects({"matchLabels": one_of(rendered(overlay), "Service")["spec"]["selector"]}, labels)
    assert [one["metadata"]["name"] for one in policies if not selects(one["spec"]["podSelector"], labels)] == []
    assert all(one["spec"]["podSelector"] for one in policies), "an empty selector is that of other pods, too"


@both
def test_everything_is_denied_that_no_policy_names(overlay: str) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(rendered(overlay), "NetworkPolicy")}

    deny = policies["genesys-gateway-deny"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    incoming = [rule for spec in policies.values() for rule in spec.get("ingress", [])]
    assert all(rule["from"] and rule["ports"] for rule in incoming), "a rule without peers or ports allows all"
    assert {port["port"] for rule in incoming for port in rule["ports"]} == {"http"}


@both
def test_a_fresh_copy_reaches_nothing_but_the_name_service(overlay: str) -> None:
    found = open_ports(rendered(overlay))

    assert found.pop("genesys-gateway-dns") == {(53, "pods")}
    assert {name: {port for port, _ in where} for name, where in found.items()} == {
        "genesys-gateway-bank": {443},
        "genesys-gateway-genesys": {3128},
        **({"genesys-gateway-database": {5432}} if overlay == POSTGRESQL else {}),
    }
    named = {ipaddress.IPv4Network(address) for where in found.values() for _, address in where}
    assert [one for one in named if not any(one.subnet_of(reserved) for reserved in NOWHERE)] == []


@both
def test_the_proxy_has_the_port_that_its_policy_opens(overlay: str) -> None:
    ((port, _),) = open_ports(rendered(overlay))["genesys-gateway-genesys"]

    assert settings_of(overlay)["GATEWAY_HTTPS_PROXY"].endswith(f":{port}")


@both
def test_names_that_are_to_be_filled_in_lead_nowhere(overlay: str) -> None:
    settings = settings_of(overlay)

    hosts = re.findall(r"[a-z-]+\.[a-z.-]+\b", " ".join(settings.values()))
    assert {host for host in hosts if not host.endswith((".example", ".db"))} == set()


def test_the_command_in_the_document_makes_a_rule_of_all_alerts(tmp_path: Path) -> None:
    command = re.search(r"\n(\{ printf .*?> prometheus-rule.yaml\n)", PAGE, re.DOTALL)
    assert command is not None
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")

    subprocess.run(["bash", "-ec", command[1]], cwd=tmp_path, check=True)

    made = yaml.safe_load((tmp_path / "prometheus-rule.yaml").read_text())
    assert made["kind"] == "PrometheusRule"
    assert made["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())


def test_both_overlays_have_the_same_pod() -> None:
    """But for the database and where they may run."""

    def common(overlay: str) -> Json:
        pod = deepcopy(pod_of(overlay))
        (container,) = pod["containers"]
        del container["envFrom"]
        container["env"] = [one for one in container["env"] if one["name"] != "DATABASE_URL_FILE"]
        container["volumeMounts"] = [one for one in container["volumeMounts"] if one["name"] != "database"]
        return {name: value for name, value in pod.items() if name not in ("topologySpreadConstraints", "tolerations")}

    assert common(SQLITE) == common(POSTGRESQL)


def test_every_manifest_is_part_of_a_kustomization() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.name != "kustomization.yaml"]

    for file in files:
        assert file.name in (file.parent / "kustomization.yaml").read_text(), file
