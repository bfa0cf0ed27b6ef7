"""Only one process at a time holds the lock, and the lock ends with its process."""

import signal
from pathlib import Path

import pytest

from genesys_gateway.storage.file_lock import FileLock
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


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://127.0.0.1/test"])
def test_a_database_without_a_file_has_no_lock(url: str) -> None:
    assert FileLock.beside(url) is None
