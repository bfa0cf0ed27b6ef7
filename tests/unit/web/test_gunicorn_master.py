"""Which mistakes end the service, which are only logged, and which signals change nothing?"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from gunicorn.workers.ggevent import GeventWorker
from structlog.typing import EventDict

from genesys_gateway.settings.checked import kept_or_read
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.web.gunicorn_master import reloads, start
from genesys_gateway.web.gunicorn_worker import HEAD_SECONDS, BoundedWorker
from tests.doubles.environment import GOOD

Logged = list[EventDict]


class FakeArbiter:
    """gunicorn's master, as far as the gateway touches it."""

    def __init__(self, **changes: object) -> None:
        config = {"workers": 1, "worker_class": BoundedWorker, "preload_app": False, "keepalive": HEAD_SECONDS}
        self.cfg = SimpleNamespace(**(config | changes))
        self.app = SimpleNamespace(reload=self._never)
        self.replaced = 0
        self.handle_ttin = self.handle_ttou = self.handle_usr2 = self.handle_winch = self._never
        self.replace: Callable[[], None] = lambda: None

    def handle_hup(self) -> None:
        self.replace()
        self.app.reload()
        self.replaced += 1

    def _never(self) -> None:
        raise AssertionError("gunicorn's own handler was called")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Settings with a database and a secret in files."""
    (tmp_path / "secret").write_text("client-secret")
    files = {"DATABASE_URL": f"sqlite:///{tmp_path}/gateway.db", "GENESYS_CLIENT_SECRET_FILE": f"{tmp_path}/secret"}
    return {name: value for name, value in GOOD.items() if name != "GENESYS_CLIENT_SECRET"} | files


@pytest.fixture
def logged() -> Iterator[Logged]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def refused(environ: dict[str, str], server: FakeArbiter | None = None) -> int:
    """The exit code of a start that is refused."""
    with pytest.raises(SystemExit) as ended:
        start(server or FakeArbiter(), environ)
    return int(str(ended.value.code))


def make_too_new(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "gateway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"workers": 2}, "2 workers"),
        ({"workers": 0}, "0 workers"),
        ({"worker_class": GeventWorker}, "worker class"),
        ({"preload_app": True}, "--preload"),
        ({"keepalive": 0}, "GATEWAY_KEEPALIVE_SECONDS"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_way_to_run_that_breaks_a_promise_is_refused_with_a_sentence(
    changes: dict[str, object], named: str, environ: dict[str, str], logged: Logged
) -> None:
    assert refused(environ, FakeArbiter(**changes)) == 2

    assert [(line["event"], line["log_level"]) for line in logged] == [("start_refused", "critical")]
    assert named in logged[0]["reason"]


@pytest.mark.parametrize("asked", ["2", " 3 "])
def test_workers_asked_for_by_a_variable_are_refused_although_the_configuration_overrides_them(
    asked: str, environ: dict[str, str], logged: Logged
) -> None:
    assert refused(environ | {"WEB_CONCURRENCY": asked}) == 2

    assert "WEB_CONCURRENCY" in logged[0]["reason"]


def test_one_worker_may_be_asked_for(environ: dict[str, str]) -> None:
    start(FakeArbiter(), environ | {"WEB_CONCURRENCY": "1"})


def test_a_database_of_a_newer_release_ends_the_start(environ: dict[str, str], tmp_path: Path, logged: Logged) -> None:
    migrate(environ["DATABASE_URL"])
    make_too_new(tmp_path)

    assert refused(environ) == 2

    assert [line["event"] for line in logged] == ["database_unusable"]


def test_a_database_that_is_not_there_yet_does_not_end_the_start(
    environ: dict[str, str], tmp_path: Path, logged: Logged
) -> None:
    (tmp_path / "volume").touch()

    start(FakeArbiter(), environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/volume/gateway.db"})

    assert [(line["event"], line["log_level"]) for line in logged] == [("database_not_there_yet", "error")]


def test_a_reload_replaces_the_worker_and_leaves_the_configuration(environ: dict[str, str], tmp_path: Path) -> None:
    server = FakeArbiter()
    start(server, environ)
    (tmp_path / "secret").write_text("another-secret")

    server.handle_hup()

    assert server.replaced == 1
    assert kept_or_read({}).genesys_client_secret.reveal() == "another-secret"


def test_a_worker_sees_that_its_successor_is_on_its_way(environ: dict[str, str]) -> None:
    server = FakeArbiter()
    start(server, environ)
    born = reloads.count
    seen: list[bool] = []
    server.replace = lambda: seen.append(reloads.count > born)

    server.handle_hup()

    assert seen == [True]


def empty_secret(folder: Path) -> None:
    (folder / "secret").write_text("")


def no_secret(folder: Path) -> None:
    (folder / "secret").unlink()


def no_database(folder: Path) -> None:
    (folder / "gateway.db").write_bytes(b"something else" * 1000)


def two_names(folder: Path) -> None:
    os.link(folder / "gateway.db", folder / "other.db")


@pytest.mark.parametrize("happen", [empty_secret, no_secret, no_database, two_names, make_too_new])
def test_a_mistake_at_a_reload_is_logged_and_the_running_worker_goes_on(
    happen: Callable[[Path], None], environ: dict[str, str], tmp_path: Path, logged: Logged
) -> None:
    server = FakeArbiter()
    start(server, environ)
    logged.clear()
    happen(tmp_path)

    server.handle_hup()

    assert server.replaced == 0
    assert [(line["event"], line["log_level"]) for line in logged] == [("reload_refused", "critical")]
    assert kept_or_read({}).genesys_client_secret.reveal() == "client-secret"


def test_a_worker_that_can_not_be_forked_does_not_end_the_master(environ: dict[str, str], logged: Logged) -> None:
    def fork() -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    server = FakeArbiter()
    start(server, environ)
    logged.clear()
    server.replace = fork

    server.handle_hup()

    assert [(line["event"], line["log_level"]) for line in logged] == [("reload_failed", "critical")]


@pytest.mark.parametrize("name", ["ttin", "ttou", "usr2", "winch"])
def test_a_signal_that_would_change_the_number_of_workers_is_ignored_and_logged(
    name: str, environ: dict[str, str], logged: Logged
) -> None:
    server = FakeArbiter()
    start(server, environ)
    logged.clear()

    getattr(server, f"handle_{name}")()

    assert [(line["event"], line["signal"]) for line in logged] == [("signal_ignored", f"SIG{name.upper()}")]
