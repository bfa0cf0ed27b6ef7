"""What the rendered manifests start, as plain processes: arguments, variables and files are those of the container.

Replaced are only the addresses that the manifests leave to be filled in, ``0.0.0.0`` by an address of this machine, and
the folders of mounts. The entry point is that of the image.
"""

import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from tests.deploy.manifests import POSTGRESQL, SQLITE, container_of, environment_of, pod_of
from tests.deploy.test_kubernetes import DRAIN_SECONDS
from tests.harness import databases
from tests.harness.gateway import ADDRESS, BOFE_TOKEN, OPS_TOKEN
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.judge import customer_of
from tests.harness.processes import Process, free_port, python, run
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.waiting import until


class Container:
    """The container of an overlay as a process.

    Args:
        folder: Where the folders of its mounts are made.
        secrets: The Secret: key to value.
        filled_in: Settings in which the manifests have a placeholder.
    """

    def __init__(self, overlay: str, folder: Path, secrets: Mapping[str, str], filled_in: Mapping[str, str]) -> None:
        self._container = container_of(overlay)
        self._folder = folder
        for mount in self._container["volumeMounts"]:
            self._here(mount["mountPath"]).mkdir(parents=True)
        self._write_secrets(overlay, secrets)
        self.port = free_port()
        bind = environment_of(overlay)["GATEWAY_BIND"].replace("0.0.0.0:8080", f"127.0.0.1:{self.port}")
        known = {name: self._adapted(value) for name, value in environment_of(overlay).items()}
        assert set(filled_in) - set(known) <= {"GENESYS_LOGIN_URL", "GENESYS_API_URL", "GENESYS_STREAMING_HOSTS"}
        self.environment = known | dict(filled_in) | {"GATEWAY_BIND": bind}
        self.log = folder / "gateway.log"
        self.client = JsonClient(f"http://127.0.0.1:{self.port}", BOFE_TOKEN)
        self.process = self._run(*self._container["args"])

    def _run(self, *arguments: str) -> Process:
        return Process(python("-m", "genesys_gateway", *arguments), self.environment, self.log)

    def _here(self, path: str) -> Path:
        return self._folder / path.lstrip("/")

    def _adapted(self, value: str) -> str:
        mounts = "|".join(re.escape(mount["mountPath"]) for mount in self._container["volumeMounts"])
        return re.sub(rf"(?:{mounts})\b", lambda found: str(self._here(found[0])), value)

    def _write_secrets(self, overlay: str, secrets: Mapping[str, str]) -> None:
        """Lay the files as the kubelet does: links to files in a folder that it replaces as a whole."""
        (volume,) = (one["name"] for one in pod_of(overlay)["volumes"] if "secret" in one)
        (path,) = (one["mountPath"] for one in self._container["volumeMounts"] if one["name"] == volume)
        folder = self._here(path)
        (folder / "..2026").mkdir()
        (folder / "..data").symlink_to("..2026")
        for key, value in secrets.items():
            (folder / "..2026" / key).write_text(value)
            (folder / key).symlink_to(f"..data/{key}")

    def probe(self, name: str) -> int:
        """Ask what a probe asks; returns the status."""
        return self.client.request("GET", self._container[name]["httpGet"]["path"], seconds=5).status

    def passes(self, name: str) -> bool:
        """Whether a probe passes."""
        assert self.process.code is None, self.log.read_text()
        try:
            return self.probe(name) == 200
        except NoAnswer:
            return False

    def until_ready(self) -> None:
        """Wait until it would get requests."""
        until(lambda: self.passes("readinessProbe"), 30, "it is ready")

    def execute(self, *arguments: str) -> str:
        """Run a command in the container, as ``kubectl exec`` does."""
        words = [f"{name}={value}" for name, value in self.environment.items()]
        code, output = run(["env", *words, *python("-m", "genesys_gateway", *arguments)], 60)
        assert code == 0, output
        return output

    def events(self) -> list[str]:
        """The events in its log, of which each line has to be JSON."""
        return [orjson.loads(line)["event"] for line in self.log.read_bytes().splitlines()]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    found = Simulator(tmp_path)
    yield found
    found.stop()


def filled_in(simulator: Simulator) -> dict[str, str]:
    return {
        "GENESYS_LOGIN_URL": simulator.url,
        "GENESYS_API_URL": simulator.url,
        "GENESYS_STREAMING_HOSTS": simulator.url.removeprefix("http://"),
        "GENESYS_CLIENT_ID": "simulator-client",
        "COMMUNICATION_HISTORY_URL": simulator.history_url,
        "GATEWAY_NO_PROXY": "127.0.0.1",  # where the simulator is
    }


def secrets(**more: str) -> dict[str, str]:
    return {
        "genesys-client-secret": "simulator-secret\n",
        "tokens": f"bofe:{BOFE_TOKEN}\nops:{OPS_TOKEN}\n",
        "communication-history-token": "token-of-the-history\n",
        **more,
    }


def register(simulator: Simulator, container: Container) -> AgentSession:
    """Register a conversation at one pod, and wait until the gateway follows it."""
    session = simulator.start()
    pair = {"customerId": customer_of(session.conversation), "interactionId": session.conversation}
    assert container.client.request("POST", ADDRESS, pair).status == 201
    simulator.until_covered([session])
    return session


def until_delivered(simulator: Simulator, session: AgentSession) -> None:
    """End the conversation, and wait for its record."""
    simulator.finish(session)
    until(lambda: simulator.state()["records"] == 1, what="the record is delivered")


def stopped(container: Container) -> int:
    """End it as Kubernetes does, after the wait of preStop; returns the exit code."""
    container.client.close()
    container.process.signal(signal.SIGTERM)
    return container.process.wait(DRAIN_SECONDS)


def test_the_pod_with_sqlite_serves_and_ends_in_time(tmp_path: Path, simulator: Simulator) -> None:
    container = Container(SQLITE, tmp_path / "pod", secrets(), filled_in(simulator))

    until(lambda: container.passes("startupProbe"), 30, "the startup probe passes")
    container.until_ready()
    assert container.passes("livenessProbe")
    until_delivered(simulator, register(simulator, container))
    assert "promise is kept" in container.execute("status")
    assert container.environment["DATABASE_URL"] == f"sqlite:///{tmp_path}/pod/var/lib/genesys-gateway/gateway.db"
    assert (tmp_path / "pod/var/lib/genesys-gateway/gateway.db").exists()
    assert stopped(container) == 0
    assert "setting_to_look_at" not in container.events()


@pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL at 127.0.0.1:5432")
def test_of_two_pods_with_postgresql_one_may_end(tmp_path: Path, simulator: Simulator) -> None:
    with databases.postgresql() as name:
        holding = secrets(**{"database-url": databases.url(name)})
        first, second = (Container(POSTGRESQL, tmp_path / one, holding, filled_in(simulator)) for one in ("a", "b"))
        first.until_ready()
        second.until_ready()
        running = orjson.loads(first.execute("instances", "--json"))
        assert [one["state"] for one in running] == ["running", "running"]

        session = register(simulator, first)
        assert stopped(first) == 0
        assert second.passes("readinessProbe")
        until_delivered(simulator, session)

        assert stopped(second) == 0
        assert "setting_to_look_at" not in second.events()


def test_a_wrong_setting_ends_the_pod_with_2_and_names_it(tmp_path: Path, simulator: Simulator) -> None:
    wrong = filled_in(simulator) | {"GATEWAY_NO_PROXY": "\x07"}
    container = Container(SQLITE, tmp_path / "pod", secrets(), wrong)

    assert container.process.wait(30) == 2
    assert "GATEWAY_NO_PROXY" in container.log.read_text()
