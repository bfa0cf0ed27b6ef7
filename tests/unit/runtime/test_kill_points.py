"""Only the named kill point kills the process, and none does with a real Genesys."""

import signal
import sys

import pytest
from gevent import subprocess

_REACH = """
from genesys_gateway.runtime.kill_points import reach
for place in ("claimed", "claimed", "posted"):
    reach(place)
print("alive")
"""


def reaching(point: str, api: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process that reaches ``claimed`` twice and then ``posted``."""
    environ = {"GATEWAY_KILL_POINT": point, "GENESYS_API_URL": api}
    done = subprocess.run([sys.executable, "-c", _REACH], env=environ, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("point", ["claimed", "claimed:2", "posted"])
def test_the_process_ends_where_it_was_asked_to(point: str) -> None:
    code, out, err = reaching(point, "http://127.0.0.1:9000")
    assert (code, out) == (-signal.SIGKILL, "")
    assert f'"place": "{point.partition(":")[0]}"' in err


@pytest.mark.parametrize("point", ["", "claimed:3", "closed"])
def test_it_lives_on_elsewhere(point: str) -> None:
    assert reaching(point, "http://127.0.0.1:9000")[:2] == (0, "alive\n")


@pytest.mark.parametrize("api", ["", "https://api.mypurecloud.jp", "http://10.1.2.3", "https://127.0.0.1.example.com"])
def test_nobody_is_killed_before_a_real_genesys(api: str) -> None:
    assert reaching("claimed", api)[:2] == (0, "alive\n")


def test_a_place_that_does_not_exist_is_no_quiet_success() -> None:
    code, _, err = reaching("clamied", "http://localhost:9000")
    assert code == 1
    assert "there is no clamied" in err
