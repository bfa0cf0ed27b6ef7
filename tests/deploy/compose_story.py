"""`python -m tests.deploy.compose_story FOLDER`: start all services, see them work together, lose one, stop them.

It runs in namespaces of its own and writes what it saw as JSON to standard output; test_compose_started.py judges.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.deploy.composed import Service, in_order, services
from tests.deploy.container_processes import Containers, image_of
from tests.harness.gateway import ADDRESS
from tests.harness.http import JsonClient
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

    def tell(self) -> Facts:
        """Everything, in order."""
        self.containers.enter()
        possible = [service for service in in_order() if image_of(service) is not None]
        for service in possible:
            self.containers.start(service)
        for service in possible:
            self.containers.until_there(service)
        self._took("everything healthy")
        bofe = JsonClient("http://balancer:8080", self._secret("bofe", "token"))
        self.facts["record"] = self._one_conversation(bofe)
        self._watched()
        self._instances("instances")
        self.facts["troubles"] = self._execute("gateway1", "genesys-gateway", "status", "--json")["troubles"]
        self._lose_one(bofe)
        until(lambda: self._traffic()["registered"] > 0, 20, "the contact centre's conversations are registered")
        self.facts["traffic"] = self._traffic()
        self._took("traffic registered")
        self._stop_all()
        self.facts["logs"] = {name: self._log(service) for name, service in services().items() if image_of(service)}
        self.facts["secrets"] = self._secrets()
        return self.facts

    def _one_conversation(self, bofe: JsonClient) -> Facts:
        """Register a conversation at the balancer, have the simulator play it; returns what became of it."""
        conversation = self._control("POST", "/conversations", {})["conversationId"]
        registration = {"interactionId": conversation, "customerId": str(uuid4())}
        answer = bofe.request("POST", ADDRESS, registration).status
        topic = f"v2.detail.events.conversation.{conversation}.acw"
        until(lambda: any(topic in one["topics"] for one in self._control("GET", "/channels")), 20, "listened to")
        self._control("POST", f"/conversations/{conversation}/end", {})
        self._control("POST", f"/conversations/{conversation}/wrapup", {"notes": "all well"})
        until(lambda: self._records(conversation), 20, "the record is delivered")
        time.sleep(0.3)  # a second record of it would have come by now
        return {"registered": answer, "records": self._records(conversation)}

    def _watched(self) -> None:
        """What Prometheus sees, once it has scraped both gateways."""
        self._took("record delivered")
        until(lambda: {one["health"] for one in self._targets()} == {"up"}, 20, "both targets are up")
        self.facts["targets"] = [one["scrapeUrl"] for one in self._targets()]
        groups = self._prometheus.request("GET", "/rules").json["data"]["groups"]
        self.facts["rules"] = sorted(rule["name"] for group in groups for rule in group["rules"])
        self._took("both targets up")

    def _lose_one(self, bofe: JsonClient) -> None:
        """Kill an instance: the other serves; started again, it works at once."""
        lost = services()["gateway1"]
        self.containers.kill(lost)
        self.facts["record while one is lost"] = self._one_conversation(bofe)
        self._took("record while one is lost")
        self.containers.start(lost)
        self.containers.until_there(lost)
        self._instances("instances afterwards")
        self._took("two instances again")

    def _instances(self, name: str) -> None:
        self.facts[name] = self._execute("gateway1", "genesys-gateway", "instances", "--json")

    def _execute(self, name: str, *command: str) -> Any:
        done = self.containers.execute(services()[name], command)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def _stop_all(self) -> None:
        running = [service for service in in_order() if service.name in self.containers.running]
        self.facts["exit codes"] = {}
        for service in reversed(running):
            self.facts["exit codes"][service.name] = self.containers.stop(service)
            self._took(f"{service.name} stopped")

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
