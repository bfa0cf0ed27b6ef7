"""Only one process at a time holds the lock, and the lock ends with its process."""

import os
import signal
from pathlib import Path

import pytest

from genesys_gateway.runtime.errors import UnsafeDatabase
from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import migrate
from tests.contract.processes import python

HOLD = """
import sys
from pathlib import Path
from genesys_gateway.storage.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "gateway.db.lock"


def test_a_free_lock_is_acquired_once_and_for_all(path: Path) -> None:
    lock = FileLock(path)

    assert lock.acquire()
    assert lock.acquire()

    assert lock.held
    lock.release()


def test_a_lock_that_somebody_holds_is_not_waited_for(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)
    assert first.acquire()

    assert not second.acquire()

    assert not second.held
    first.release()


def test_a_released_lock_is_free(path: Path) -> None:
    first, second = FileLock(path), FileLock(path)
    first.acquire()
    first.release()
    first.release()

    assert second.acquire()

    second.release()


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    lock = FileLock(path)

    with python(HOLD, str(path)) as process:
        assert not lock.acquire()
        process.send_signal(signal.SIGKILL)

    assert lock.acquire()
    lock.release()


def test_the_lock_file_is_its_owners_only_and_stays(path: Path) -> None:
    lock = FileLock(path)
    lock.acquire()
    lock.release()

    assert path.stat().st_mode & 0o777 == 0o600


def test_the_lock_lies_beside_the_database_file(tmp_path: Path) -> None:
    lock = FileLock.beside(f"sqlite:///{tmp_path}/gateway.db")
    assert lock is not None

    lock.acquire()

    assert (tmp_path / "gateway.db.lock").exists()
    lock.release()


def linked(tmp_path: Path, kind: str) -> str:
    """Another name for ``data/gateway.db`` in the folder."""
    (tmp_path / "data" / "below").mkdir(parents=True)
    file = tmp_path / "data" / "gateway.db"
    match kind:
        case "file":
            (tmp_path / "link.db").symlink_to(file)
            return f"{tmp_path}/link.db"
        case "link to a link":
            (tmp_path / "first.db").symlink_to("data/gateway.db")
            (tmp_path / "second.db").symlink_to("first.db")
            return f"{tmp_path}/second.db"
        case "folder":
            (tmp_path / "elsewhere").symlink_to("data")
            return f"{tmp_path}/elsewhere/gateway.db"
        case "detour":
            return f"{tmp_path}/data/below/../gateway.db"
        case _:
            return os.path.relpath(file)


@pytest.mark.parametrize("exists", [True, False], ids=["there", "not made yet"])
@pytest.mark.parametrize("kind", ["file", "link to a link", "folder", "detour", "relative"])
def test_one_file_has_one_lock_under_whatever_name(tmp_path: Path, kind: str, exists: bool) -> None:
    other = linked(tmp_path, kind)
    if exists:
        (tmp_path / "data" / "gateway.db").touch()
    first = FileLock.beside(f"sqlite:///{tmp_path}/data/gateway.db")
    second = FileLock.beside(f"sqlite:///{other}")
    assert first is not None
    assert second is not None

    assert first.acquire()

    assert not second.acquire()
    assert second.is_taken()
    first.release()


def test_links_in_a_circle_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "one.db").symlink_to("two.db")
    (tmp_path / "two.db").symlink_to("one.db")

    with pytest.raises(OSError, match="symbolic links"):
        migrate(f"sqlite:///{tmp_path}/one.db")


def test_a_file_with_two_names_is_refused_because_its_log_and_lock_would_have_two(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/gateway.db")
    os.link(tmp_path / "gateway.db", tmp_path / "other.db")

    with pytest.raises(UnsafeDatabase, match="second name"):
        migrate(f"sqlite:///{tmp_path}/other.db")


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://127.0.0.1/test"])
def test_a_database_without_a_file_has_no_lock(url: str) -> None:
    assert FileLock.beside(url) is None
