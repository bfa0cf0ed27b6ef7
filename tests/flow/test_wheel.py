"""Does the installed package do without the project's files what it does in a checkout?"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from genesys_gateway.runtime.version import __version__
from tests.harness.gateway import OPS_TOKEN, Gateway
from tests.harness.http import JsonClient
from tests.harness.installed import build_wheel, install
from tests.harness.processes import Process, free_port
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

#: Makes a package look as if it were not installed.
WITHOUT = "import sys\nsys.modules[{!r}] = None\n"

Command = Callable[..., Process]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the installed command."""
    return install(wheel, tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture
def command(commands: Path, tmp_path: Path) -> Iterator[Command]:
    """Run the installed command in an empty folder."""
    started: list[Process] = []
    empty = tmp_path / "empty"
    empty.mkdir()

    def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        line = ["env", "-C", str(empty), str(commands / "genesys-gateway"), *arguments]
        process = Process(line, environment or {}, tmp_path / f"{len(started)}.log")
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()
    assert list(empty.iterdir()) == [], "it wrote where it was started"


@pytest.fixture
def gateway(simulator: Simulator, tmp_path: Path) -> Gateway:
    """The settings of a gateway, which the tests start by the installed command."""
    return Gateway(tmp_path, simulator.url, {"GENESYS_GRANT_TYPE": "client-credentials"})


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0] for name in names} == {"genesys_gateway", f"genesys_gateway-{__version__}.dist-info"}
    assert "genesys_gateway/web/ops/runbook.md" in names
    assert "genesys_gateway/py.typed" in names
    assert [name for name in names if name.endswith((".db", ".pyc"))] == []


def test_the_command_tells_its_version(command: Command) -> None:
    process = command("--version")

    assert process.wait(30) == 0
    assert process.log.read_text() == f"genesys-gateway, version {__version__}\n"


def test_the_simulator_runs_without_the_project(command: Command) -> None:
    port = free_port()
    process = command("simulator", "--port", str(port))
    simulator = JsonClient(f"http://127.0.0.1:{port}")

    until(lambda: process.log.read_text().startswith("Simulator: "), 30)

    assert simulator.request("GET", "/_sim/state").status == 200
    simulator.close()


def test_the_demo_runs_without_the_project(command: Command, tmp_path: Path) -> None:
    process = command("demo", "--once", environment={"TMPDIR": str(tmp_path)})

    assert process.wait(120) == 0, process.log.read_text()
    assert "6 of 6 records arrived, each exactly once." in process.log.read_text()


def test_the_service_runs_without_the_project_and_tells_its_version(command: Command, gateway: Gateway) -> None:
    process = command("run", environment=gateway.environment)
    operators = JsonClient(gateway.url, OPS_TOKEN)

    until(lambda: '"event":"running"' in process.log.read_text(), 30)
    answers = {path: operators.request("GET", path).body.decode() for path in ("/metrics", "/openapi.json")}
    runbook = operators.request("GET", "/ops/runbook").body.decode()
    operators.close()
    first = process.log.read_text().splitlines()[0]

    assert f'genesys_gateway_build_info{{version="{__version__}"}} 1' in answers["/metrics"]
    assert f'"version":"{__version__}"' in answers["/openapi.json"].replace(" ", "")
    assert f'"version":"{__version__}"' in first
    assert 'id="receiver_down"' in runbook
    assert len(process.children()) == 1, "the command itself has to be gunicorn's master"
    process.stop()
    assert process.code == 0


def test_code_in_the_folder_where_it_is_started_is_not_run(command: Command, gateway: Gateway, tmp_path: Path) -> None:
    # setproctitle is not installed, so it would be found nowhere else.
    planted = [tmp_path / "empty" / f"{name}.py" for name in ("gunicorn", "gevent", "genesys_gateway", "setproctitle")]
    for file in planted:
        file.write_text("raise SystemExit(99)\n")
    process = command("run", environment=gateway.environment)

    until(lambda: process.code is not None or '"event":"running"' in process.log.read_text(), 30)

    assert process.code is None
    for file in planted:
        file.unlink()


def test_without_the_driver_of_postgresql_sqlite_works(command: Command, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format("psycopg"))
    process = command("run", environment={**gateway.environment, "PYTHONPATH": str(tmp_path)})

    until(lambda: '"event":"running"' in process.log.read_text(), 30)


def test_without_the_driver_of_postgresql_its_url_is_a_mistake(
    command: Command, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format("psycopg"))
    wrong = {"DATABASE_URL": "postgresql+psycopg://gateway@127.0.0.1/gateway", "PYTHONPATH": str(tmp_path)}
    process = command("run", environment={**gateway.environment, **wrong})

    assert process.wait(30) == 2
    assert "pip install 'genesys-gateway[postgresql]'" in process.log.read_text()
