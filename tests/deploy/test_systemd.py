"""The systemd units say what they should: systemd takes every line, and names and times fit the service."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from genesys_gateway.settings import Settings, variable
from tests.harness.processes import ROOT
from tests.harness.required import skip_or_fail

FOLDER = ROOT / "deploy" / "systemd"
ONE, TEMPLATE = FOLDER / "genesys-gateway.service", FOLDER / "genesys-gateway@.service"
PAGE = (ROOT / "docs" / "systemd.md").read_text()
#: The exposure that `systemd-analyze security` may find at most, times ten. 100 is a service without a sandbox.
EXPOSURE = 12
#: docs/operations.md: the gateway ends within 25 s of SIGTERM.
DRAIN_SECONDS = 25

both = pytest.mark.parametrize("unit", [ONE, TEMPLATE], ids=lambda unit: unit.name)


def lines(unit: Path) -> list[tuple[str, str]]:
    """The assignments of a unit, in order."""
    found = [line.partition("=") for line in unit.read_text().splitlines() if re.match(r"\w+=", line)]
    return [(name, value) for name, _, value in found]


def values(unit: Path, name: str) -> list[str]:
    return [value for found, value in lines(unit) if found == name]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        skip_or_fail("systemd-analyze is not installed; Debian's package systemd has it", "SYSTEMD")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def verified(folder: Path, *units: Path) -> str:
    """What systemd says about units, in a root folder that has only what they need; nothing if all is well."""
    system = folder / "etc/systemd/system"
    system.mkdir(parents=True)
    for target in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
        (system / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    for program in ("opt/genesys-gateway/current/bin/genesys-gateway", "bin/kill"):
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", folder / program)
    for unit in units:
        shutil.copy(unit, system)
    names = [unit.name.replace("@.", "@a.") for unit in units]
    done = analyze("verify", f"--root={folder}", "--man=no", *names)
    return done.stdout + done.stderr


def test_systemd_takes_every_line(tmp_path: Path) -> None:
    assert verified(tmp_path, ONE, TEMPLATE) == ""


def test_a_misspelled_line_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.service"
    wrong.write_text(ONE.read_text().replace("KillMode=", "KilMode="))

    assert "KilMode" in verified(tmp_path / "root", wrong)


@both
def test_the_sandbox_is_rated_well(unit: Path, tmp_path: Path) -> None:
    found = shutil.copy(unit, tmp_path / unit.name.replace("@", ""))  # offline, a template has no rating

    rated = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(found))

    assert rated.returncode == 0, rated.stdout + rated.stderr
    assert f"rates it {EXPOSURE / 10}" in PAGE


@both
def test_every_variable_is_a_setting_and_its_credential_exists(unit: Path) -> None:
    known = {variable(field.name) for field in fields(Settings) if "read" in field.metadata}
    given = dict(value.split("=", 1) for value in values(unit, "Environment"))
    credentials = dict(value.split(":", 1) for value in values(unit, "LoadCredential"))

    assert set(given) <= known | {f"{name}_FILE" for name in known}
    assert {value for value in given.values() if value.startswith("%d/")} == {f"%d/{name}" for name in credentials}
    for name, file in credentials.items():
        assert file == f"/etc/genesys-gateway/secrets/{name}"
        assert f"`{file}`" in PAGE
    for file in values(unit, "EnvironmentFile"):
        assert Path(file).name.replace("%i", "a") in PAGE


def test_what_is_installed_can_be_read_by_the_service_whatever_the_umask_of_root_was() -> None:
    first = next(line for line in PAGE.split("```sh\n")[1].splitlines())

    assert first.split("#")[0].strip() == "umask 022", "the virtual environment would be closed to the service's user"


def test_the_variables_in_the_document_are_settings() -> None:
    known = {variable(field.name) for field in fields(Settings) if "read" in field.metadata} | {"GENESYS_ENVIRONMENT"}
    named = set(re.findall(r"\b(?:GENESYS|GATEWAY|COMMUNICATION_HISTORY|DATABASE)_[A-Z_]+\b", PAGE))

    assert named - known - {f"{name}_FILE" for name in known} == set()


@both
def test_the_end_is_given_time_and_what_time_can_not_solve_is_not_repeated(unit: Path) -> None:
    assert "ends within 25 s" in (ROOT / "docs" / "operations.md").read_text()
    assert int(values(unit, "TimeoutStopSec")[0]) >= DRAIN_SECONDS + 5
    assert values(unit, "KillMode") == ["mixed"], "the worker must not get SIGTERM beside its master"
    assert values(unit, "Restart") == ["on-failure"]
    assert values(unit, "RestartPreventExitStatus") == ["2"]
    assert values(unit, "StartLimitIntervalSec") == ["0"], "secrets that come late would leave it down for good"


@both
def test_an_instance_sees_on_which_start_of_the_machine_it_runs(unit: Path) -> None:
    """runtime/process.py reads /proc/sys: without it, a successor would wait for the lease of one that was killed."""
    assert values(unit, "ProcSubset") == []


def test_both_units_have_the_same_sandbox() -> None:
    def rest(unit: Path) -> list[tuple[str, str]]:
        own = ("Description", "RequiresMountsFor", "EnvironmentFile", "WorkingDirectory", "LoadCredential")
        different = (*own, "StateDirectory", "StateDirectoryMode", "Environment")
        return [line for line in lines(unit) if line[0] not in different]

    assert rest(ONE) == rest(TEMPLATE)


def test_the_document_shows_no_other_release_than_this_one() -> None:
    from genesys_gateway.runtime.version import __version__

    assert set(re.findall(r"\b\d+\.\d+\.\d+\b(?!\.)", re.sub(r"127\.0\.0\.1", "", PAGE))) == {__version__}
