"""Child processes of the demo.

Invariant: a child is ended by the object that started it, by its own pid and within a time limit: SIGTERM first, then
SIGKILL.
"""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from genesys_gateway.simulator.demo.clients import Http
from genesys_gateway.simulator.demo.errors import DemoFailed

#: Pause between two looks whether a child answers.
_POLL_SECONDS = 0.05
#: How many lines of a child's output are shown when it fails.
_LAST_LINES = 15


class Child:
    """One process, whose output goes to a file.

    Args:
        name: Its name in messages.
        command: Program and arguments. They must hold no secret: other users can read them.
        environment: The whole environment of the process; nothing is inherited.
        folder: Its working directory.
        log: The file for stdout and stderr.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            # A session of its own: Ctrl-C in the terminal reaches only the demo, which then ends its children in order.
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
        """Whether the process still runs."""
        return self._process.poll() is None

    def wait_for(self, http: Http, path: str, seconds: float, pause: Callable[[float], None] = time.sleep) -> float:
        """Wait until it answers at ``path`` with a status below 400.

        Returns:
            The seconds it took.

        Raises:
            DemoFailed: It ended, or did not answer within ``seconds``; the text holds its last lines.
        """
        return self._wait(lambda: http.answers(path), seconds, pause)

    def wait_for_output(self, seconds: float, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until it has written something; raises like :meth:`wait_for`."""
        self._wait(lambda: self.log.stat().st_size > 0, seconds, pause)

    def _wait(self, answers: Callable[[], bool], seconds: float, pause: Callable[[float], None]) -> float:
        begun = time.monotonic()
        while not answers():
            if not self.lives:
                raise DemoFailed(f"The {self.name} ended with code {self._process.returncode}:\n{self.last_lines()}")
            if time.monotonic() - begun > seconds:
                raise DemoFailed(f"The {self.name} did not answer within {seconds:.0f} s:\n{self.last_lines()}")
            pause(_POLL_SECONDS)
        return time.monotonic() - begun

    def last_lines(self) -> str:
        """The last lines of its output."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"

    def stop(self, seconds: float) -> None:
        """End it with SIGTERM, and after ``seconds`` with SIGKILL. A repetition does nothing."""
        if not self.lives:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
