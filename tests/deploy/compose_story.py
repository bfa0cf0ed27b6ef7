"""`python -m tests.deploy.compose_story FOLDER`: start all services, and do all that docs/compose.md says.

It runs in namespaces of its own and writes what it saw as JSON to standard output; test_compose_started.py judges.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.deploy.composed import PAGE, Service, in_order, services
from tests.deploy.container_processes import Containers, image_of
from tests.deploy.docker_stand_in import DockerStandIn
from tests.documents.markdown import Fence, fences
from tests.harness.gateway import ADDRESS
from tests.harness.http import JsonClient
from tests.harness.processes import ROOT
from tests.harness.tcp_proxy import TcpProxy
from tests.harness.waiting import until

Facts = dict[str, Any]


class Story:
    """The services, and what was seen of them.

    Args:
        folder: Everything that they write.
    """

    def __init__(self, folder: Path) -> None:
        self.containers = Containers(folder)
        self.facts: Facts = {}
        self._begun = time.monotonic()
        self._simulator = JsonClient("http://simulator:9000")
        self._prometheus = JsonClient("http://prometheus:9090/api/v1")
        self._docker = DockerStandIn(self.containers)

    def tell(self) -> Facts:
        """Everything, in order."""
        self.containers.enter()
        possible = [service for service in in_order() if image_of(service) is not None]
        for service in possible:
            self.containers.start(service)
        for service in possible:
            self.containers.until_there(service)
        self._took("everything healthy")
        self._bofe = JsonClient("http://balancer:8080", self._secret("bofe", "token"))
        with ExitStack() as undo:
            for service in possible:
                for port, inside in service.ports.items():
                    address = self.containers.addresses[service.name]
                    undo.enter_context(TcpProxy(address, inside, int(port.rpartition(":")[2])).running())
            self._programs = undo.enter_context(self._docker.installed())
            self._use()
        self.facts["exit codes"] = self._docker.ended
        self.facts["logs"] = {service.name: self._log(service) for service in possible}
        self.facts["secrets"] = self._secrets()
        return self.facts

    def _use(self) -> None:
        self.facts["record"] = self._one_conversation()
        self._watched()
        self._instances("instances", "gateway1")
        until(lambda: self._traffic()["registered"] > 0, 20, "the contact centre's conversations are registered")
        self.facts["traffic"] = self._traffic()
        for fence in fences(PAGE):
            if fence.language == "sh":
                self._run(fence)
            if "kill gateway1" in fence.text:
                self.facts["record while one is lost"] = self._one_conversation()
                self._took("record while one is lost")
            if "start gateway1" in fence.text:
                self.containers.until_there(services()["gateway1"])
                self._instances("instances afterwards", "gateway2")
                self._took("two instances again")

    def _run(self, fence: Fence) -> None:
        """Run a block of commands; its first failure ends it."""
        environment = {**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}"}
        command = ["bash", "-euo", "pipefail", "-c", fence.text]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        said = {"text": fence.text, "code": done.returncode, "output": done.stdout, "error": done.stderr}
        self.facts.setdefault("page", []).append(said)
        self._took(f"line {fence.line}")

    def _one_conversation(self) -> Facts:
        """Register a conversation at the balancer, have the simulator play it; returns what became of it.

        It is registered on a connection that has been used before, as a caller's pool does.
        """
        conversation = self._control("POST", "/conversations", {})["conversationId"]
        registration = {"interactionId": conversation, "customerId": str(uuid4())}
        answer = self._bofe.request("POST", ADDRESS, registration).status
        topic = f"v2.detail.events.conversation.{conversation}.acw"
        until(lambda: any(topic in one["topics"] for one in self._control("GET", "/channels")), 20, "listened to")
        self._control("POST", f"/conversations/{conversation}/end", {})
        self._control("POST", f"/conversations/{conversation}/wrapup", {"notes": "all well"})
        until(lambda: self._records(conversation), 20, "the record is delivered")
        time.sleep(0.3)  # a second record of it would have come by now
        return {"registered": answer, "records": self._records(conversation)}

    def _watched(self) -> None:
        """What Prometheus sees, once it has scraped both gateways."""
        until(lambda: {one["health"] for one in self._targets()} == {"up"}, 20, "both targets are up")
        self.facts["targets"] = [one["scrapeUrl"] for one in self._targets()]
        groups = self._prometheus.request("GET", "/rules").json["data"]["groups"]
        self.facts["rules"] = sorted(rule["name"] for group in groups for rule in group["rules"])
        self._took("both targets up")

    def _instances(self, fact: str, at: str) -> None:
        done = self.containers.execute(services()[at], ["genesys-gateway", "instances", "--json"])
        assert done.stdout, done.stderr
        self.facts[fact] = json.loads(done.stdout)

    def _took(self, what: str) -> None:
        self.facts.setdefault("seconds", {})[what] = round(time.monotonic() - self._begun, 1)

    def _control(self, method: str, path: str, body: object = None) -> Any:
        return self._simulator.request(method, f"/_sim{path}", body).json

    def _records(self, conversation: str) -> list[Any]:
        stored = [one["record"] for one in self._control("GET", "/history")["records"]]
        return [record for record in stored if record["interactionId"] == conversation]

    def _traffic(self) -> Facts:
        found: Facts = self._control("GET", "/traffic")
        return found

    def _targets(self) -> list[Any]:
        found: list[Any] = self._prometheus.request("GET", "/targets").json["data"]["activeTargets"]
        return found

    def _log(self, service: Service) -> str:
        return (self.containers.folder / f"{service.name}.log").read_text()

    def _secret(self, reader: str, name: str) -> str:
        return (self.containers.folder / "volumes" / f"{reader}-secrets" / name).read_text()

    def _secrets(self) -> Facts:
        files = sorted((self.containers.folder / "volumes").glob("*-secrets/*"))
        return {f"{file.parent.name}/{file.name}": [oct(file.stat().st_mode), file.read_text()] for file in files}


if __name__ == "__main__":
    json.dump(Story(Path(sys.argv[1])).tell(), sys.stdout)
