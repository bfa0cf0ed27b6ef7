"""Whether a process of this machine is gone."""

import os
import subprocess
from pathlib import Path

from genesys_gateway.runtime.process import is_gone, kernel_name, own_name


def test_this_process_is_not_gone() -> None:
    assert own_name() is not None
    assert not is_gone(own_name())


def test_one_that_has_ended_is_gone_even_if_nobody_has_noticed() -> None:
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    start = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    name = f"{child.pid} {start}"
    assert not is_gone(name)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(name), "a zombie"
    child.wait()
    assert is_gone(name)
    assert child.stdin is not None
    child.stdin.close()


def test_another_process_with_the_same_number_is_not_the_one() -> None:
    assert is_gone(f"{os.getpid()} 1")


def test_what_names_no_process_is_not_known_to_be_gone() -> None:
    for name in (None, "", "x", "12", "12 ", "-1 5"):
        assert not is_gone(name)


def test_all_processes_of_one_kernel_agree_on_its_name() -> None:
    code = "from genesys_gateway.runtime.process import kernel_name; print(kernel_name())"
    other = subprocess.run([".venv/bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == kernel_name()
