"""The Dockerfile keeps its promises: no secret is sent, no shell, no root, one version, and settings that exist."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from genesys_gateway.runtime.version import __version__
from genesys_gateway.settings import Settings, rules, variable
from tests.deploy.dockerfile import PROJECT, Ignored, files, instructions, locked, sources, stages, variables
from tests.deploy.run_page import PAGE, ours
from tests.documents.commands import blocks

TEXT = (PROJECT / "Dockerfile").read_text()
BUILD, FINAL = stages(instructions(TEXT))
IGNORED = Ignored((PROJECT / ".dockerignore").read_text())


def of(name: str) -> list[str]:
    """What follows that instruction in the last stage, each time."""
    return [one.rest for one in FINAL if one.name == name]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([Path(sys.executable).with_name("hadolint"), PROJECT / "Dockerfile"], capture_output=True)
    assert (done.stdout.decode(), done.returncode) == ("", 0)


# What is sent


def test_only_what_is_copied_is_sent() -> None:
    copied = sources(BUILD) + sources(FINAL)

    sent = [path for path in files() if IGNORED.sends(path)]

    assert [path for path in sent if not any(path == name or path.startswith(f"{name}/") for name in copied)] == []
    assert sum((PROJECT / path).stat().st_size for path in sent) < 5_000_000


def test_everything_that_is_copied_is_sent() -> None:
    for name in sources(BUILD) + sources(FINAL):
        below = [path for path in files() if path == name or path.startswith(f"{name}/")]
        assert below, f"{name} does not exist"
        assert [path for path in below if not IGNORED.sends(path) and "__pycache__" not in path] == []


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".git/config", ".venv/bin/python", "var/gateway.db", "secrets/token", "deploy/container/key.pem"),
        *("genesys_gateway/__pycache__/app.pyc", "genesys_gateway/web/__pycache__/app.pyc", "tests/mutants.py"),
    ],
)
def test_nothing_secret_or_large_is_sent(path: str) -> None:
    assert not IGNORED.sends(path)


def test_the_wheel_made_of_what_is_sent_is_the_whole_wheel(tmp_path: Path) -> None:
    for path in filter(IGNORED.sends, files()):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, tmp_path / path)

    assert _names_in_wheel(tmp_path, tmp_path / "sent") == _names_in_wheel(PROJECT, tmp_path / "whole")


def _names_in_wheel(project: Path, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    listed = subprocess.run([sys.executable, "-m", "zipfile", "--list", wheel], check=True, capture_output=True)
    return sorted(line.split()[0] for line in listed.stdout.decode().splitlines())


# What is built


def test_both_stages_have_one_base_which_an_argument_can_pin() -> None:
    assert variables(instructions(TEXT)[:1], "ARG")["BASE"] == "docker.io/library/python:3.11-slim-bookworm"
    assert [stage[0].rest for stage in (BUILD, FINAL)] == ["${BASE} AS build", "${BASE}"]


def test_the_label_has_the_version_of_the_package() -> None:
    assert [variables(stage, "ARG")["VERSION"] for stage in (BUILD, FINAL)] == [__version__, __version__]
    assert variables(FINAL, "LABEL")["org.opencontainers.image.version"] == "${VERSION}"
    assert '"$found" = "$VERSION"' in TEXT, "the build does not compare them"


def test_the_page_names_the_image_of_this_version() -> None:
    named = re.findall(r"genesys-gateway:(\d[\w.]*\w)", TEXT + PAGE.read_text())
    assert set(named) == {__version__}


def test_every_package_is_installed_with_hashes() -> None:
    installs = [line for line in re.findall(r"pip install [^\\\n]*", TEXT) if "--no-index" not in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)


def test_what_builds_the_image_is_what_the_tests_use() -> None:
    tests = locked("requirements.txt") | locked("requirements-dev.txt")
    built = locked("deploy/container/build.txt")
    assert {"hatchling", "cyclonedx-bom"} <= set(built)
    assert {name: version for name, version in built.items() if tests.get(name, version) != version} == {}


# What runs


def test_it_runs_as_a_user_with_a_number_who_is_not_root() -> None:
    (user,) = of("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    (data,) = [rest for rest in of("COPY") if "/var/lib/genesys-gateway" in rest]
    assert f"--chown={user} " in data
    assert of("WORKDIR") == ["/var/lib/genesys-gateway"]


def test_no_shell_is_needed() -> None:
    commands = [one for one in FINAL if one.name in ("RUN", "ENTRYPOINT", "CMD")]

    assert [one.exec_form for one in commands if one.name != "RUN"] == [["genesys-gateway"], ["run"]]
    assert all(one.exec_form[0] == "python" for one in commands if one.name == "RUN")
    (check,) = of("HEALTHCHECK")
    assert re.fullmatch(r'(--\S+ +)*CMD \["/[^]]*\]', check)


def test_the_settings_it_sets_exist_and_are_right() -> None:
    known = {variable(field.name) for field in fields(Settings) if "read" in field.metadata}
    environment = variables(FINAL, "ENV")
    ours = {name: value for name, value in environment.items() if name.startswith(("GATEWAY_", "DATABASE_"))}

    assert set(ours) == {"GATEWAY_BIND", "GATEWAY_LOG_FORMAT"}
    assert set(ours) <= known
    assert rules.bind(ours["GATEWAY_BIND"]).rpartition(":")[2] == of("EXPOSE")[0]


def test_every_command_of_its_page_is_one_that_make_image_steps_runs() -> None:
    assert len(ours()) >= 7
    assert [block.fence.place for block in blocks([PAGE]) if block not in ours()] == []


def test_no_secret_is_in_it() -> None:
    names = [*variables(BUILD, "ARG"), *variables(FINAL, "ARG"), *variables(FINAL, "ENV")]
    assert [name for name in names if re.search("SECRET|TOKEN|PASSWORD|KEY", name)] == []
