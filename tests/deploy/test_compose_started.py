"""The services of compose.yaml, started as plain processes, do what docs/compose.md says.

Their commands, settings, secrets and health checks are those of the file; see container_processes.py for what is
replaced. Not executed here: Docker, the images, their limits and rights, and Grafana.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.monitoring import rules
from tests.deploy.composed import PAGE, services
from tests.deploy.container_processes import image_of, missing_programs, own_network
from tests.documents.markdown import fences
from tests.harness.processes import ROOT, python
from tests.harness.required import skip_or_fail

Facts = dict[str, Any]

_LIMIT_SECONDS = 300


@pytest.fixture(scope="module")
def seen() -> Iterator[Facts]:
    """What was seen from the start of all services to their end."""
    if missing := missing_programs():
        skip_or_fail(f"not installed: {', '.join(missing)}", "NAMESPACES")
    if subprocess.run([*own_network(), "true"], capture_output=True).returncode != 0:
        skip_or_fail("this account may not make namespaces", "NAMESPACES")
    with tempfile.TemporaryDirectory(prefix="compose-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's account enters it
        story = [*own_network(), *python("-m", "tests.deploy.compose_story", folder)]
        done = subprocess.run(story, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
        assert done.returncode == 0, done.stderr[-4000:]
        yield json.loads(done.stdout)


def test_a_conversation_registered_at_the_one_address_becomes_one_record(seen: Facts) -> None:
    told = seen["record"]

    assert told["registered"] == 201
    assert [record["body"]["wrapUpNotes"] for record in told["records"]] == ["all well"]


def test_prometheus_sees_both_gateways_and_has_every_rule(seen: Facts) -> None:
    assert sorted(seen["targets"]) == ["http://gateway1:8080/metrics", "http://gateway2:8080/metrics"]
    assert seen["rules"] == sorted(rule.get("alert") or rule["record"] for rule in rules())


def test_both_instances_run_each_at_its_place(seen: Facts) -> None:
    assert {one["state"] for one in seen["instances"]} == {"running"}
    assert sorted(one["endpoint"].split()[0] for one in seen["instances"]) == ["gateway1", "gateway2"]


def test_every_command_of_the_page_works(seen: Facts) -> None:
    blocks = [fence for fence in fences(PAGE) if fence.language == "sh"]

    assert [one["text"] for one in seen["page"]] == [fence.text for fence in blocks]
    assert [one for one in seen["page"] if one["code"] != 0 or one["error"]] == []


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("cat /run/secrets/tokens", r"bofe:\w+\nbackoffice:\w+\nops:\w+"),
        ("/wrapup", r'"wrapUpNotes": "all well"'),
        ("genesys-gateway status", "^The promise is kept"),
        ("genesys-gateway instances", r"\brunning\b"),
    ],
)
def test_a_command_of_the_page_shows_what_it_is_there_for(seen: Facts, command: str, output: str) -> None:
    (found,) = [one["output"] for one in seen["page"] if command in one["text"]]

    assert re.search(output, found)


def test_the_other_gateway_serves_while_one_is_lost(seen: Facts) -> None:
    told = seen["record while one is lost"]

    assert told["registered"] in (200, 201)  # 200 if the balancer repeated what the lost one had stored
    assert len(told["records"]) == 1


def test_an_instance_that_is_started_again_takes_the_place_of_the_lost_one(seen: Facts) -> None:
    before = {one["id"]: one["endpoint"].split()[0] for one in seen["instances"]}
    # Where it took longer than the lease, the lost one is still listed, too.
    running = [one for one in seen["instances afterwards"] if one["state"] == "running"]
    afterwards = {one["id"]: one["endpoint"].split()[0] for one in running}

    assert sorted(afterwards.values()) == ["gateway1", "gateway2"]
    assert {before.get(one) for one in afterwards} == {"gateway2", None}


def test_the_contact_centre_is_registered_through_the_balancer(seen: Facts) -> None:
    assert seen["traffic"]["registered"] > 0
    assert seen["traffic"]["failed"] == 0


def test_each_service_ends_with_0_in_its_time(seen: Facts) -> None:
    servers = [name for name, service in services().items() if service.health and image_of(service)]
    assert seen["exit codes"] == dict.fromkeys(servers, 0)


def test_no_gateway_logs_an_error(seen: Facts) -> None:
    for name in ("gateway1", "gateway2"):
        lines = [json.loads(line) for line in seen["logs"][name].splitlines()]
        assert lines
        assert [line for line in lines if line["level"] in ("error", "critical")] == []


def test_each_secret_is_new_and_in_no_log(seen: Facts) -> None:
    words = [value for name, (_, value) in seen["secrets"].items() if not name.endswith("client_secret")]

    assert len(words) == 5
    for word in (part for value in words for part in value.replace("\n", ":").split(":") if len(part) > 20):
        assert [name for name, log in seen["logs"].items() if word in log] == []
