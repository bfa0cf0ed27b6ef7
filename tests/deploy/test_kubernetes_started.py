"""What the rendered manifests start works: each container is started, confined like one, against the simulator."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.deploy.kubelet import Pod, skip_or_fail_without_namespaces
from tests.deploy.manifests import POSTGRESQL, SQLITE
from tests.deploy.test_kubernetes import DRAIN_SECONDS
from tests.harness import databases
from tests.harness.gateway import ADDRESS, BOFE_TOKEN, OPS_TOKEN
from tests.harness.judge import customer_of
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.waiting import until


@pytest.fixture(autouse=True)
def confined() -> None:
    skip_or_fail_without_namespaces()


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


def register(simulator: Simulator, pod: Pod) -> AgentSession:
    """Register a conversation at one pod, and wait until the gateway follows it."""
    session = simulator.start()
    pair = {"customerId": customer_of(session.conversation), "interactionId": session.conversation}
    assert pod.client.request("POST", ADDRESS, pair).status == 201
    simulator.until_covered([session])
    return session


def until_delivered(simulator: Simulator, session: AgentSession) -> None:
    """End the conversation, and wait for its record."""
    simulator.finish(session)
    until(lambda: simulator.state()["records"] == 1, what="the record is delivered")


def test_the_pod_with_sqlite_serves_and_ends_in_time(tmp_path: Path, simulator: Simulator) -> None:
    pod = Pod(SQLITE, tmp_path / "pod", secrets(), filled_in(simulator))

    until(lambda: pod.passes("startupProbe"), 30, "the startup probe passes")
    pod.until_ready()
    assert pod.passes("livenessProbe")
    until_delivered(simulator, register(simulator, pod))
    assert "promise is kept" in pod.execute("status")
    status = pod.status()
    assert status["Uid"].split() == ["10001"] * 4
    assert status["CapEff"] == status["CapBnd"] == "0" * 16
    assert {path.name for path in pod.volume.iterdir()} >= {"gateway.db", "gateway.db-wal", "gateway.db.lock"}

    assert pod.stop(DRAIN_SECONDS) == 0
    assert "setting_to_look_at" not in pod.events()


@pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL at 127.0.0.1:5432")
def test_of_two_pods_with_postgresql_one_may_end(tmp_path: Path, simulator: Simulator) -> None:
    with databases.postgresql() as name:
        holding = secrets(**{"database-url": databases.url(name)})
        first = Pod(POSTGRESQL, tmp_path / "a", holding, filled_in(simulator))
        second = Pod(POSTGRESQL, tmp_path / "b", holding, filled_in(simulator), user=1_000_650_000)  # as OpenShift does
        first.until_ready()
        second.until_ready()
        running = orjson.loads(first.execute("instances", "--json"))
        assert [one["state"] for one in running] == ["running", "running"]

        session = register(simulator, first)
        assert first.stop(DRAIN_SECONDS) == 0
        assert second.passes("readinessProbe")
        until_delivered(simulator, session)

        assert second.stop(DRAIN_SECONDS) == 0
        assert "setting_to_look_at" not in second.events()


def test_a_wrong_setting_ends_the_pod_with_2_and_names_it(tmp_path: Path, simulator: Simulator) -> None:
    wrong = filled_in(simulator) | {"GATEWAY_NO_PROXY": "\x07"}
    pod = Pod(SQLITE, tmp_path / "pod", secrets(), wrong)

    assert pod.process.wait(30) == 2
    assert "GATEWAY_NO_PROXY" in pod.log.read_text()
