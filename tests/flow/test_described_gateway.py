"""Does the real process, with its database, answer over HTTP as openapi.json describes?"""

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.doubles.described import left_out
from tests.flow.gateways import start_gateway
from tests.harness.gateway import BOFE_TOKEN
from tests.harness.simulator import Simulator

_ALL = f"bofe:{BOFE_TOKEN},ops:{BOFE_TOKEN},backoffice:{BOFE_TOKEN}"


def test_every_request_is_answered_as_described(tmp_path: Path, simulator: Simulator) -> None:
    gateway = start_gateway(tmp_path, simulator.url, GATEWAY_TOKENS=_ALL)

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(found=schemathesis.openapi.from_url(f"{gateway.url}/openapi.json").as_strategy())
    def holds(found: "schemathesis.Case[Any]") -> None:
        found.call_and_validate(headers={"Authorization": f"Bearer {BOFE_TOKEN}"}, excluded_checks=left_out(found))

    holds()

    assert gateway.stop() == 0
    assert [line for line in gateway.log() if line["level"] in ("error", "critical")] == []
