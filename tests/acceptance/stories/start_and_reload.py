"""A database that is late, and mistakes at SIGHUP: 503 and a log line meanwhile, never the end of the service."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from tests.harness import databases
from tests.harness.gateway import ADDRESS, Gateway
from tests.harness.http import NoAnswer
from tests.harness.processes import free_port
from tests.harness.simulator import Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.tcp_proxy import TcpProxy
from tests.harness.waiting import until, wait_for

#: Latest time until an address answers while the database is away, and until the service is ready when it is back.
_ANSWER_SECONDS, _BACK_SECONDS = 12.0, 12.0
_REFUSED = 2


def play(stage: Stage) -> None:
    """One gateway on SQLite; then, if there is a server, one on PostgreSQL."""
    simulator = stage.simulator()
    secret = stage.folder / "client-secret"
    secret.write_text("simulator-secret")
    place = stage.folder / "volume"
    place.write_text("its volume is not mounted yet")
    settings = {
        "DATABASE_URL": f"sqlite:///{place}/gateway.db",
        "GENESYS_CLIENT_SECRET": "",
        "GENESYS_CLIENT_SECRET_FILE": secret,
        "GENESYS_GRANT_TYPE": "client-credentials",
    }
    gateway = stage.gateway(simulator, settings).launch()
    _waits(stage, gateway, "no folder for the file")
    place.unlink()
    _comes_back(stage, gateway, "the folder is there")
    _unusable_secret(stage, gateway, secret)
    _too_new(stage, gateway, place / "gateway.db")
    if stage.scale is Scale.SMALL:
        return
    _unknown_host(stage, simulator)
    if databases.reachable():
        _late_server(stage, simulator)
    else:
        stage.report.skip("a server that is late or fails over", "no PostgreSQL at 127.0.0.1:5432")


def _unknown_host(stage: Stage, simulator: Simulator) -> None:
    url = "postgresql+psycopg://postgres@database.invalid/gateway"
    gateway = stage.gateway(simulator, {"DATABASE_URL": url}, name="unknown-host").launch()
    _waits(stage, gateway, "a host that no name server knows")
    code = gateway.stop()
    stage.report.claim("a start that waits ends with 0 on SIGTERM", code == 0, f"exit {code}")


def _unusable_secret(stage: Stage, gateway: Gateway, secret: Path) -> None:
    worker = gateway.worker
    for what, content in {"empty": "", "cut within a line": "simulator-sec\nret"}.items():
        secret.write_text(content)
        refused = _refused_reloads(gateway)
        gateway.reload()
        _refuses(stage, gateway, refused, worker, f"SIGHUP with a secret file that is {what}")
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: gateway.process.children() not in ([], [worker]), _ANSWER_SECONDS)
    _comes_back(stage, gateway, "the worker died while the file was unusable")
    secret.write_text("simulator-secret")
    worker = gateway.worker
    gateway.reload()
    changed = wait_for(lambda: gateway.process.children() not in ([], [worker]) and gateway.ready(), _BACK_SECONDS)
    stage.report.claim("the file is good again: SIGHUP replaces the worker", changed is not None)


def _too_new(stage: Stage, gateway: Gateway, database: Path) -> None:
    wait_for(lambda: len(gateway.process.children()) == 1 and gateway.ready(), _BACK_SECONDS)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    refused, worker = _refused_reloads(gateway), gateway.worker
    gateway.reload()
    _refuses(stage, gateway, refused, worker, "SIGHUP with a database of a newer release")
    gateway.stop()
    code = gateway.launch().process.wait(_ANSWER_SECONDS)
    stage.report.claim(f"a start with it ends with {_REFUSED}", code == _REFUSED, f"exit {code}")


def _late_server(stage: Stage, simulator: Simulator) -> None:
    with databases.postgresql() as name:
        port = free_port()
        url = databases.url(name, port)
        gateway = stage.gateway(simulator, {"DATABASE_URL": url}, name="late-server").launch()
        _waits(stage, gateway, "a server that refuses connections")
        with TcpProxy(databases.HOST, databases.PORT, port).running():
            _comes_back(stage, gateway, "the server is up")
            worker = gateway.worker
        databases.end_sessions(name)
        status = gateway.register(str(uuid4())).status
        refused = _refused_reloads(gateway)
        gateway.reload()
        held = until(lambda: _refused_reloads(gateway) > refused, 2 * _ANSWER_SECONDS, "the reload is refused")
        stage.report.note(f"during the failover a registration gets {status}; SIGHUP was refused after {held:.1f} s")
        same = gateway.process.children() == [worker]
        stage.report.claim("SIGHUP during a failover: the same worker goes on", same)
        os.kill(worker, signal.SIGKILL)
        until(lambda: gateway.process.children() not in ([], [worker]), _ANSWER_SECONDS, "another worker")
        _waits(stage, gateway, "the worker died during the failover")
        with TcpProxy(databases.HOST, databases.PORT, port).running():
            _comes_back(stage, gateway, "the server is back")
            gateway.stop()


def _waits(stage: Stage, gateway: Gateway, what: str) -> None:
    """Claim that the service is there and says honestly that it can't work yet."""
    took = wait_for(lambda: gateway.process.code is not None or _status(gateway, "GET", "/livez")[0], _ANSWER_SECONDS)
    alive, ready = _status(gateway, "GET", "/livez"), _status(gateway, "GET", "/readyz")
    pair = {"customerId": str(uuid4()), "interactionId": str(uuid4())}
    taken = _status(gateway, "POST", ADDRESS, pair)
    figure = f"after {took or -1:.1f} s: /livez {alive}, /readyz {ready}, a registration {taken}"
    crashed = [line["event"] for line in gateway.log() if line["event"] == "greenlet_died"]
    honest = not crashed and all(status == 503 and after.isdigit() for status, after in (ready, taken))
    stage.report.claim(
        f"{what}: alive, and 503 with Retry-After",
        alive[0] == 200 and honest,
        figure if gateway.process.code is None else f"exit {gateway.process.code}",
    )


def _comes_back(stage: Stage, gateway: Gateway, what: str) -> None:
    back = wait_for(lambda: gateway.process.code is not None or gateway.ready(), _BACK_SECONDS)
    status = _status(gateway, "POST", ADDRESS, {"customerId": str(uuid4()), "interactionId": str(uuid4())})[0]
    stage.report.claim(f"{what}: it serves by itself", status == 201, f"{status}, ready after {back or -1:.1f} s")


def _refuses(stage: Stage, gateway: Gateway, before: int, worker: int, what: str) -> None:
    """Claim that the reload was logged as a mistake, and that the worker of before serves as before."""
    logged = wait_for(lambda: gateway.process.code is not None or _refused_reloads(gateway) > before, _ANSWER_SECONDS)
    status = _status(gateway, "POST", ADDRESS, {"customerId": str(uuid4()), "interactionId": str(uuid4())})[0]
    code = gateway.process.code
    same = code is None and gateway.process.children() == [worker]
    figure = f"{status}, {'same worker' if same else 'another worker'}" if code is None else f"exit {code}"
    stage.report.claim(f"{what}: logged, the worker goes on", logged is not None and same and status == 201, figure)


def _refused_reloads(gateway: Gateway) -> int:
    """Number of lines so far that say loudly that a reload was refused."""
    return sum(line["level"] == "critical" and "reload" in line["event"] for line in gateway.log())


_Status = tuple[int, str]


def _status(gateway: Gateway, method: str, path: str, body: object = None) -> _Status:
    """Status and Retry-After of one request; 0 without an answer."""
    try:
        reply = gateway.bofe.request(method, path, body, seconds=5)
    except NoAnswer:
        return 0, ""
    return reply.status, reply.headers.get("Retry-After", "")
