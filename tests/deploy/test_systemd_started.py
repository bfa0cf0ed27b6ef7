"""The units run unchanged under a real systemd, as docs/systemd.md installs and starts them, against the simulator.

Replaced is only the release: instead of a wheel in a virtual environment, ``/opt/genesys-gateway/1.1.0`` has a script
that runs this checkout.
"""

import re
import signal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from genesys_gateway.runtime.version import __version__
from tests.deploy import systemd_machine
from tests.deploy.systemd_machine import Machine
from tests.harness import databases
from tests.harness.gateway import ADDRESS, BOFE_TOKEN, OPS_TOKEN
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.judge import customer_of
from tests.harness.processes import ROOT, free_port
from tests.harness.required import skip_or_fail
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.waiting import until

PAGE = (ROOT / "docs" / "systemd.md").read_text()
ETC = "/etc/genesys-gateway"
SECRET, TOKENS = f"{ETC}/secrets/genesys-client-secret", f"{ETC}/tokens"


def commands(beginning: str) -> str:
    """The block of commands in the document that begins like this."""
    blocks = re.findall(r"<!-- run by: tests/deploy/test_systemd_started.py -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(beginning))
    return str(found)


@pytest.fixture(autouse=True)
def systemd() -> None:
    """Skip the test where no systemd can be started, or fail it where GATEWAY_TEST_REQUIRE_SYSTEMD is set."""
    missing = systemd_machine.missing()
    if missing is not None:
        skip_or_fail(missing, "SYSTEMD")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    found = Simulator(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def machine(tmp_path: Path, simulator: Simulator) -> Iterator[Machine]:
    """A machine on which the release is installed, with settings and secrets."""
    folder = tmp_path / "machine"
    folder.mkdir()
    with systemd_machine.machine(folder) as found:
        _put_release(found)
        found.run(commands("ln -sfn"), ROOT)
        found.write(SECRET, "simulator-secret\n")
        found.write(TOKENS, f"bofe:{BOFE_TOKEN}\nops:{OPS_TOKEN}\n")
        found.write(
            f"{ETC}/gateway.env",
            f"GENESYS_LOGIN_URL={simulator.url}\nGENESYS_API_URL={simulator.url}\n"
            f"GENESYS_STREAMING_HOSTS={simulator.url.removeprefix('http://')}\nGENESYS_GRANT_TYPE=client-credentials\n"
            f"GENESYS_CLIENT_ID=simulator-client\nCOMMUNICATION_HISTORY_URL={simulator.history_url}\n",
        )
        yield found


def _put_release(machine: Machine) -> None:
    """Put Python and this checkout where every user may read them; a real release has both in its venv or in /usr."""
    places = {"python": sys.base_prefix, "site": sysconfig.get_path("purelib"), "checkout": ROOT}
    for name, source in places.items():
        machine.run(f"mkdir -p /opt/test/{name} && mount --bind {source} /opt/test/{name}")
    script = "\n".join(
        [
            "#!/bin/sh",
            "export PYTHONHOME=/opt/test/python LD_LIBRARY_PATH=/opt/test/python/lib PYTHONDONTWRITEBYTECODE=1",
            "export PYTHONPATH=/opt/test/checkout:/opt/test/site",
            f'exec /opt/test/python/bin/python{sysconfig.get_python_version()} -m genesys_gateway "$@"\n',
        ]
    )
    program = f"/opt/genesys-gateway/{__version__}/bin/genesys-gateway"
    machine.write(program, script)
    machine.run(f"chmod 755 {program}")


def client_of(port: int) -> JsonClient:
    return JsonClient(f"http://127.0.0.1:{port}", BOFE_TOKEN)


def until_ready(client: JsonClient) -> None:
    def ready() -> bool:
        try:
            return client.request("GET", "/readyz", seconds=5).status == 200
        except NoAnswer:
            return False

    until(ready, 20, "it is ready")


def register(simulator: Simulator, client: JsonClient) -> AgentSession:
    session = simulator.start()
    pair = {"customerId": customer_of(session.conversation), "interactionId": session.conversation}
    assert client.request("POST", ADDRESS, pair).status == 201
    simulator.until_covered([session])
    return session


def test_one_instance_from_the_install_to_its_stop(machine: Machine, simulator: Simulator) -> None:
    port = free_port()
    machine.run(f"echo GATEWAY_BIND=127.0.0.1:{port} >> {ETC}/gateway.env")
    client = client_of(port)

    code, checked = machine.attempt(commands("(set -a"))
    assert (code, re.findall("✗ ([a-z]+)", checked)) == (1, ["database"]), checked
    assert "active (running)" in machine.run(commands("systemctl enable --now genesys-gateway\n"))
    until_ready(client)
    session = register(simulator, client)
    simulator.finish(session)
    until(lambda: simulator.state()["records"] == 1, what="the record is delivered")
    assert "Nothing is dead" in machine.run(commands("cd /var/lib"))
    _expect_a_sandbox(machine)
    _expect_a_reload(machine, client)

    machine.run("systemctl stop genesys-gateway")

    ended = machine.show("genesys-gateway", "Result", "ExecMainStatus", "NRestarts")
    assert ended == {"Result": "success", "ExecMainStatus": "0", "NRestarts": "0"}
    _expect_json_lines(machine)
    client.close()


def _expect_a_sandbox(machine: Machine) -> None:
    main = machine.show("genesys-gateway", "MainPID")["MainPID"]
    status = dict(re.findall(r"^(\w+):\s*(.*)$", machine.run(f"cat /proc/{main}/status"), re.MULTILINE))
    assert status["CapBnd"] == status["CapEff"] == "0" * 16
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split()[0] == machine.run("id -u genesys-gateway").strip()
    owned = machine.run(f"stat --format='%U %a' /var/lib/genesys-gateway /var/lib/genesys-gateway/gateway.db {SECRET}")
    assert owned.splitlines() == ["genesys-gateway 700", "genesys-gateway 600", "root 600"]
    for place in ("/usr", "/etc/genesys-gateway", "/opt", "/var/lib"):
        code, _ = machine.attempt(f"nsenter --target={main} --mount --setuid=0 -- touch {place}/planted")
        assert code != 0, place
    assert machine.attempt(f"runuser -u genesys-gateway -- cat {SECRET}")[0] != 0
    assert machine.show("genesys-gateway", "LimitNOFILE") == {"LimitNOFILE": "4096"}


def _expect_a_reload(machine: Machine, client: JsonClient) -> None:
    main = machine.show("genesys-gateway", "MainPID")["MainPID"]
    before = machine.run(f"pgrep --parent {main}").split()
    assert len(before) == 1
    machine.run("systemctl reload genesys-gateway")
    until(lambda: not set(before) & set(machine.run(f"pgrep --parent {main}").split()), 20, "another worker took over")
    until_ready(client)


def _expect_json_lines(machine: Machine) -> None:
    machine.run(commands("journalctl --unit"))
    lines = machine.run("journalctl --identifier=genesys-gateway --output=cat").splitlines()
    events = [orjson.loads(line)["event"] for line in lines]
    assert {"running", "delivered", "draining", "stopped"} <= set(events)
    assert "setting_to_look_at" not in events


def test_a_wrong_setting_fails_the_start_and_a_killed_master_is_started_again(machine: Machine) -> None:
    port = free_port()
    machine.run(f"echo GATEWAY_BIND=127.0.0.1:{port} >> {ETC}/gateway.env; mv {TOKENS} {TOKENS}.away")

    code, _ = machine.attempt("systemctl start genesys-gateway")

    assert code != 0
    failed = machine.show("genesys-gateway", "Result", "ExecMainStatus", "NRestarts", "ActiveState")
    assert failed == {"Result": "exit-code", "ExecMainStatus": "2", "NRestarts": "0", "ActiveState": "failed"}
    assert "GATEWAY_TOKENS_FILE" in machine.run("journalctl --identifier=genesys-gateway --output=cat")

    machine.run(f"mv {TOKENS}.away {TOKENS}; systemctl start genesys-gateway")
    machine.run(f"systemctl kill --kill-whom=main --signal={signal.SIGKILL.name} genesys-gateway")

    until(
        lambda: (
            machine.show("genesys-gateway", "NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"}
        ),
        20,
        "systemd started it again",
    )
    client = client_of(port)
    until_ready(client)
    client.close()


def test_a_credential_that_comes_late_is_waited_for(machine: Machine) -> None:
    def shown() -> dict[str, str]:
        return machine.show("genesys-gateway", "NRestarts", "ActiveState")

    machine.run(f"echo GATEWAY_BIND=127.0.0.1:{free_port()} >> {ETC}/gateway.env; mv {SECRET} {SECRET}.away")
    machine.run("systemctl start --no-block genesys-gateway")
    until(lambda: int(shown()["NRestarts"]) > 0, 20, "systemd tried again")

    machine.run(f"mv {SECRET}.away {SECRET}")

    until(lambda: shown()["ActiveState"] == "active", 20, "it runs")


@pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL at 127.0.0.1:5432")
def test_two_instances_are_restarted_one_after_the_other(machine: Machine, simulator: Simulator) -> None:
    ports = {"a": free_port(), "b": free_port()}
    with databases.postgresql() as name:
        machine.write(f"{ETC}/secrets/database-url", databases.url(name))
        for instance, port in ports.items():
            machine.write(f"{ETC}/{instance}.env", f"GATEWAY_BIND=127.0.0.1:{port}\n")
        clients = {instance: client_of(port) for instance, port in ports.items()}

        listed = machine.run(commands("systemctl enable --now genesys-gateway@a"))
        for client in clients.values():
            until_ready(client)
        session = register(simulator, clients["a"])
        restart = commands("for i in a b").replace("8081", str(ports["a"])).replace("8082", str(ports["b"]))
        machine.run(restart)

        assert listed.count("running") >= 1
        simulator.until_covered([session])
        simulator.finish(session)
        until(lambda: simulator.state()["records"] == 1, what="the record is delivered")
        for instance, client in clients.items():
            assert machine.show(f"genesys-gateway@{instance}", "Result", "NRestarts") == {
                "Result": "success",
                "NRestarts": "0",
            }
            client.close()
