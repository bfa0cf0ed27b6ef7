"""The image's health check, and a start as in the image: another user, and hardly anything that can be written."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent.pywsgi import WSGIServer

from tests.deploy.dockerfile import PROJECT
from tests.harness.http import JsonClient, NoAnswer
from tests.harness.processes import Process, free_port, python
from tests.harness.waiting import until

HEALTHCHECK = PROJECT / "deploy" / "container" / "healthcheck.py"


def asked(bind: str | None, *path: str) -> tuple[int, str]:
    """Exit code and complaint of the health check for a gateway that listens at ``bind``."""
    environment = {} if bind is None else {"GATEWAY_BIND": bind}
    done = subprocess.run(python("-I", "-S", str(HEALTHCHECK), *path), capture_output=True, text=True, env=environment)
    return done.returncode, done.stderr.strip()


@pytest.fixture(name="port")
def _port() -> Iterator[int]:
    """A server that is alive and not ready."""

    def answer(environ: dict[str, str], start_response: object) -> list[bytes]:
        assert callable(start_response)
        start_response("200 OK" if environ["PATH_INFO"] == "/livez" else "503 Service Unavailable", [])
        return [b""]

    number = free_port()
    server = WSGIServer(("127.0.0.1", number), answer, log=None)
    server.start()
    try:
        yield number
    finally:
        server.stop(1)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_the_health_check_passes_while_the_gateway_is_alive(host: str, port: int) -> None:
    assert asked(f"{host}:{port}") == (0, "")


def test_the_health_check_names_another_answer(port: int) -> None:
    assert asked(f"127.0.0.1:{port}", "/readyz") == (1, "/readyz: HTTP/1.1 503 Service Unavailable")


def test_the_health_check_fails_while_nothing_listens() -> None:
    code, complaint = asked(f"127.0.0.1:{free_port()}")
    assert (code, complaint) == (1, "/livez: [Errno 111] Connection refused")


def test_the_health_check_asks_a_gateway_at_a_socket_with_a_name(tmp_path: Path) -> None:
    assert asked(f"unix:{tmp_path}/nobody") == (1, "/livez: [Errno 2] No such file or directory")


# A start as in the container: another user, and a root file system that is read-only.

#: Runs the words after it as user 10001 without privileges, where only $1 and /dev/shm can be written. That user may
#: read all files, because the interpreter of this test may lie in a folder of root.
_ENCLOSED = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs \
  --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search "$@"
"""


@pytest.fixture(name="open_folder")
def _open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike tmp_path: access(2) takes no notice of privileges."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _may_enclose() -> bool:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not _may_enclose(), reason="only root can make a file system read-only for one process")
def test_the_wheel_starts_where_only_the_folder_of_the_database_can_be_written(open_folder: Path) -> None:
    installed, data = open_folder / "installed", open_folder / "data"
    _install(open_folder, installed)
    data.mkdir()
    os.chown(data, 10001, 10001)
    port = free_port()
    settings = {
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GATEWAY_BIND": f"127.0.0.1:{port}",
        "GATEWAY_LOG_FORMAT": "json",
        "GATEWAY_TOKENS": "bofe:bofe-token-of-this-test,ops:ops-token-of-this-test",
        "GENESYS_LOGIN_URL": f"http://127.0.0.1:{free_port()}",
        "GENESYS_API_URL": f"http://127.0.0.1:{free_port()}",
        "GENESYS_STREAMING_HOSTS": "127.0.0.1",
        "GENESYS_GRANT_TYPE": "client-credentials",
        "GENESYS_CLIENT_ID": "nobody",
        "GENESYS_CLIENT_SECRET": "nothing-secret",
        "COMMUNICATION_HISTORY_URL": f"http://127.0.0.1:{free_port()}",
        "DATABASE_URL": f"sqlite:///{data}/gateway.db",
    }
    # Outside of any folder that could take temporary files.
    run = ["sh", "-c", 'cd / && exec "$@"', "sh", *python("-m", "genesys_gateway", "run")]
    enclosed = ["unshare", "--mount", "--", "sh", "-c", _ENCLOSED, "sh", str(data), *run]
    gateway = Process(enclosed, settings, open_folder / "gateway.log")
    try:
        until(lambda: gateway.code is not None or _ready(port), 20, gateway.log.read_text())
        assert gateway.code is None, gateway.log.read_text()
        (identity,) = [line for line in _status(gateway.pid) if line.startswith("Uid:")]
        assert identity.split()[1:] == ["10001"] * 4
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    assert {path.name for path in data.iterdir()} >= {"gateway.db", "gateway.db.lock"}


def _install(folder: Path, place: Path) -> None:
    """The package as pip would install it; what it requires is in the environment of this test."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)


def _ready(port: int) -> bool:
    client = JsonClient(f"http://127.0.0.1:{port}")
    try:
        return client.request("GET", "/readyz", seconds=5).status == 200
    except NoAnswer:
        return False
    finally:
        client.close()


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()
