"""A program ``docker`` for the commands of docs/compose.md: it does to the processes what Docker does to containers.

It knows what the page uses of ``docker compose``: up, exec, kill, start and down.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gevent import socket
from gevent.server import StreamServer

from tests.deploy.composed import FILE, in_order, services
from tests.deploy.container_processes import Containers
from tests.harness.processes import ROOT

#: The program: sends its arguments, then prints what it is answered and ends as that says.
_PROGRAM = """#!{python} -IS
import json, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({place!r})
    asked.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
    answer = json.loads(asked.makefile().read())
sys.stdout.write(answer["output"])
sys.stderr.write(answer["error"])
sys.exit(answer["code"])
"""


class DockerStandIn:
    """Answers the program while it is :meth:`installed`.

    Args:
        containers: The services, which run already.
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        #: Exit code of each service that was stopped.
        self.ended: dict[str, int] = {}

    @contextmanager
    def installed(self) -> Iterator[Path]:
        """Yield the folder of the program."""
        folder = self._containers.folder / "bin"
        folder.mkdir()
        place = self._containers.folder / "docker.socket"
        program = folder / "docker"
        program.write_text(_PROGRAM.format(python=sys.executable, place=str(place)))
        program.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(place))
            listening.listen()
            server = StreamServer(listening, self._answer)
            server.start()
            yield folder
            server.stop(timeout=1)

    def _answer(self, client: Any, _address: object) -> None:
        with client:
            words = json.loads(client.makefile().readline())
            try:
                code, output, error = self._do(_parser().parse_args(words))
            except (SystemExit, AssertionError, KeyError) as problem:
                code, output, error = 125, "", f"docker (stand-in): {words}: {problem!r}\n"
            client.sendall(json.dumps({"code": code, "output": output, "error": error}).encode())

    def _do(self, asked: argparse.Namespace) -> tuple[int, str, str]:
        assert (ROOT / asked.file).samefile(FILE)
        assert set(asked.profile) <= {name for service in services().values() for name in service.profiles}
        if asked.action == "exec":
            done = self._containers.execute(services()[asked.service], asked.command)
            return done.returncode, done.stdout, done.stderr
        if asked.action == "kill":
            self._containers.kill(services()[asked.service])
        elif asked.action == "start":
            self._containers.start(services()[asked.service])
        elif asked.action == "down":
            for service in reversed([one for one in in_order() if one.name in self._containers.running]):
                self.ended[service.name] = self._containers.stop(service)
        return 0, "", ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docker", add_help=False, allow_abbrev=False)
    compose = parser.add_subparsers(required=True).add_parser("compose", add_help=False, allow_abbrev=False)
    compose.add_argument("--file", "-f", required=True)
    compose.add_argument("--profile", action="append", default=[])
    actions = compose.add_subparsers(dest="action", required=True)
    actions.add_parser("up").add_argument("--detach", action="store_true")
    actions.add_parser("down").add_argument("--volumes", action="store_true")
    for name in ("kill", "start"):
        actions.add_parser(name).add_argument("service")
    execute = actions.add_parser("exec")
    execute.add_argument("-T", action="store_true")
    execute.add_argument("service")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    return parser
