"""The processes that the demo starts, and ends.

Law: whoever starts a child ends it, by its own pid, within a bound: first politely, then not.
"""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from genesys_gateway.simulator.demo.errors import DemoFailed
from genesys_gateway.simulator.demo.parties import Http

_LOOK_SECONDS = 0.05
_LAST_LINES = 15


class Child:
    """One process; what it writes goes into a file.

    Args:
        name: For the person before the screen.
        command: Program and arguments; no secret may stand there, others can read them.
        environment: All it gets.
        folder: Where it runs.
        log: The file.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            # A session of its own: Ctrl-C in the terminal is for the demo, which then ends its children in order.
            self._process = subprocess.Popen(  # noqa: S603 - the commands are the demo's own
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait_for(self, http: Http, path: str, seconds: float, pause: Callable[[float], None] = time.sleep) -> float:
        """Wait until it answers there.

        Returns:
            The seconds it took.

        Raises:
            DemoFailed: It ended, or did not answer in time; the text holds its last lines.
        """
        begun = time.monotonic()
        while not http.answers(path):
            if not self.lives:
                raise DemoFailed(f"The {self.name} ended with code {self._process.returncode}:\n{self.last_lines()}")
            if time.monotonic() - begun > seconds:
                raise DemoFailed(f"The {self.name} did not answer within {seconds:.0f} s:\n{self.last_lines()}")
            pause(_LOOK_SECONDS)
        return time.monotonic() - begun

    def last_lines(self) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"

    def stop(self, seconds: float) -> None:
        """End it; after ``seconds`` the hard way. A repetition does nothing."""
        if not self.lives:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
