"""compose.yaml follows the specification of Compose, and the names, files, ports and settings in it are true.

Docker can't be had here. So the file is checked against the schema of the specification and against the project;
test_compose_started.py runs its services as plain processes. Grafana can't be had either: its files are only read.
"""

import json
import re
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from genesys_gateway.runtime.version import __version__
from genesys_gateway.settings import Settings, variable
from tests.architecture.sources import PROJECT
from tests.architecture.test_alerts import promtool
from tests.deploy.composed import FILE, FOLDER, Service, document, file_of, services

SERVICES = list(services().values())
GATEWAYS = [service for service in SERVICES if service.command is None and "genesys-gateway:" in service.image]
PROVISIONING = PROJECT / "deploy" / "grafana" / "provisioning"
BOARD = json.loads((PROJECT / "deploy" / "grafana" / "dashboard.json").read_text())

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


def problems_of(compose: Any) -> list[str]:
    """What the schema of the specification finds."""
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(compose)]


def addresses(text: str) -> list[tuple[str, int]]:
    """Every ``name:port`` in a text, in URLs, too."""
    return [(host, int(port)) for host, port in re.findall(r"(?<![\w.-])([a-z][\w-]*):(\d+)", text)]


def texts(service: Service) -> list[str]:
    """Everything that a service is told, with the files that it mounts."""
    mounted = [file_of(mount) for mount in service.mounts if not mount.is_volume]
    whole = [file for path in mounted for file in ([path] if path.is_file() else sorted(path.rglob("*.yaml")))]
    own = [file.read_text() for file in whole if file.suffix in (".yml", ".yaml", ".cfg", ".py")]
    return [*service.environment.values(), *(service.command or ()), *(service.health or ()), *own]


def listens_at(service: Service) -> set[int]:
    """The ports at which a service listens, as far as the file says."""
    told = " ".join([*service.environment.values(), *(service.command or ())])
    named = {int(port) for port in re.findall(r"0\.0\.0\.0:(\d+)|--port (\d+)", told) for port in port if port}
    return named | {"postgres": {5432}, "grafana/grafana": {3000}}.get(service.image.partition(":")[0], set())


def test_the_file_follows_the_specification() -> None:
    assert problems_of(document()) == []


def test_a_mistake_in_the_file_is_noticed() -> None:
    wrong = {"services": {"gateway": {"image": "a", "depend_on": ["database"]}}}

    assert problems_of(wrong) == [
        "$.services.gateway: Unevaluated properties are not allowed ('depend_on' was unexpected)"
    ]


def test_no_value_depends_on_the_environment_of_the_caller() -> None:
    assert "$" not in FILE.read_text()


@each_service
def test_every_setting_is_one_of_the_gateway(service: Service) -> None:
    names = {variable(field.name) for field in fields(Settings) if "read" in field.metadata}
    ours = {name for name in service.environment if name.startswith(("GATEWAY_", "GENESYS_", "DATABASE_", "COMM"))}

    assert {name for name in ours if name.removesuffix("_FILE") not in names} == set()


@each_service
def test_no_service_is_asked_for_through_a_proxy_that_docker_gives_to_every_container(service: Service) -> None:
    assert {service.environment.get(name) for name in ("HTTP_PROXY", "http_proxy")} == {""}


def test_two_gateways_differ_only_in_their_place() -> None:
    first, second = GATEWAYS

    told = [{**gateway.raw, "hostname": 0, "ports": 0, "healthcheck": 0} for gateway in (first, second)]
    assert told[0] == told[1]
    assert first.hostname != second.hostname
    assert first.ports.keys().isdisjoint(second.ports)


@each_service
def test_every_file_that_is_mounted_exists_and_is_read_only(service: Service) -> None:
    for mount in service.mounts:
        if mount.is_volume:
            assert mount.source in document()["volumes"]
        else:
            assert file_of(mount).exists()
            assert mount.read_only
        if mount.target == "/run/secrets":
            assert mount.read_only


@each_service
def test_every_name_and_port_belongs_to_a_service(service: Service) -> None:
    for host, port in (found for text in texts(service) for found in addresses(text)):
        assert host in services(), f"{host}:{port}"
        assert port in listens_at(services()[host]), f"{host}:{port}"


def test_a_name_and_a_port_are_found_in_each_form() -> None:
    text = "http://a:1/x ws://b:2 [c-d:3, e:4] '127.0.0.1:5' postgresql+psycopg://u:{p}@f:6/g"

    assert addresses(text) == [("a", 1), ("b", 2), ("c-d", 3), ("e", 4), ("f", 6)]


@each_service
def test_ports_are_published_on_this_machine_only(service: Service) -> None:
    for published, inside in service.ports.items():
        assert published.startswith("127.0.0.1:")
        assert inside in listens_at(service)


def test_no_port_is_published_twice() -> None:
    published = [port for service in SERVICES for port in service.ports]
    assert len(published) == len(set(published))


@each_service
def test_every_container_has_as_few_rights_as_possible(service: Service) -> None:
    assert service.raw["read_only"] is True
    assert service.raw["cap_drop"] == ["ALL"]
    assert service.raw["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service.raw
    assert not any(mount.source.startswith("/") for mount in service.mounts), "a file of the machine"


@each_service
def test_every_image_has_a_version(service: Service) -> None:
    name, _, version = service.image.partition(":")

    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-\w+)?", version)
    if name == "genesys-gateway":
        assert version == __version__


@each_service
def test_every_server_has_a_health_check_and_what_it_needs_is_waited_for(service: Service) -> None:
    assert (service.health is None) == (service.raw["restart"] == "no")
    for name, condition in service.needs.items():
        ends = services()[name].health is None
        assert condition == ("service_completed_successfully" if ends else "service_healthy")
    if service.health is not None:
        told = " ".join(service.health)
        assert re.search(rf"\b{service.name}\b", told), "it asks at the address that others use, not at loopback"


def test_a_gateway_has_more_memory_than_was_measured_and_time_to_stop() -> None:
    for gateway in GATEWAYS:
        assert gateway.raw["deploy"]["resources"]["limits"] == {"cpus": "1", "memory": "512M", "pids": 64}
        assert gateway.grace_seconds == 35


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES:
        for name in service.environment:
            assert not re.search(r"(SECRET|TOKENS?|PASSWORD|DATABASE_URL)$", name), name


def test_prometheus_takes_its_configuration_with_the_alerts(tmp_path: Path) -> None:
    for mount in services()["prometheus"].mounts:
        if not mount.is_volume:
            (tmp_path / Path(mount.target).name).symlink_to(file_of(mount))

    assert "SUCCESS" in promtool("check", "config", "--lint=all", "--lint-fatal", str(tmp_path / "prometheus.yml"))


def test_prometheus_asks_each_gateway_and_not_the_balancer() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]

    assert job["job_name"] == "genesys-gateway"
    assert job["static_configs"] == [{"targets": [f"{gateway.name}:8080" for gateway in GATEWAYS]}]


def test_the_board_finds_its_data_source() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (chosen,) = [one for one in BOARD["templating"]["list"] if one["type"] == "datasource"]

    assert source["type"] == chosen["query"]
    assert source["isDefault"], "the variable names none, so it takes the default"
    assert source["url"] == "http://prometheus:9090"


def test_the_folder_of_boards_is_the_one_that_grafana_loads() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "genesys-gateway.yaml").read_text())["providers"]
    grafana = services()["grafana"]
    targets = {mount.target for mount in grafana.mounts}

    assert grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in targets
    assert provider["options"]["path"] in {str(Path(target).parent) for target in targets}
    assert "/etc/grafana/provisioning" in targets
