"""What goes wrong at Genesys Cloud is told within 10 s, and no longer 10 s after its end."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.troubles.scene import Scene, scene

LIVE_VIEW, ANALYTICS = "/api/v2/conversations/*", "/api/v2/analytics/*"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    # Each conversation is asked about every second, in both views.
    with scene(
        tmp_path_factory.mktemp("genesys"), GATEWAY_ANALYTICS_SETTLE_SECONDS="2", GATEWAY_RECONCILE_SECONDS="1"
    ) as made:
        yield made


def test_a_login_host_that_refuses(here: Scene) -> None:
    here.call().register().until("subscribed")
    fault = here.simulator.fault("answer", path="/oauth/token", status=400, body={"error": "invalid_client"})
    here.simulator.fault("revoked_token")

    trouble = here.comes("no_token")
    assert "invalid_client" in trouble["text"]
    here.comes("uncovered")
    assert "channels_full" not in here.troubles()

    here.simulator.control("DELETE", f"/faults/{fault['id']}")
    here.goes("no_token")
    here.goes("uncovered")


def test_tokens_that_genesys_refuses_as_soon_as_they_are_issued(here: Scene) -> None:
    here.call().register().until("subscribed")
    here.simulator.fault("answer", path="/api/v2/*", status=401)
    here.simulator.fault("revoked_token")

    here.comes("no_token")
    here.simulator.clear_faults()

    here.goes("no_token")


def test_channels_that_genesys_does_not_make(here: Scene) -> None:
    for channel in here.simulator.connected():
        here.simulator.control("POST", f"/channels/{channel}/evict")
    here.simulator.fault("answer", method="POST", path="/api/v2/notifications/channels", status=503)
    for _ in range(2):
        here.call().register()

    here.comes("uncovered")
    assert "channels_full" not in here.troubles()

    here.simulator.clear_faults()
    here.goes("uncovered")


def test_calls_that_genesys_throttles(here: Scene) -> None:
    here.call().register().until("subscribed")
    here.simulator.fault("rate_storm", retryAfter=1)

    trouble = here.comes("calls_exhausted")
    assert "of 300 a minute" in trouble["text"]

    here.simulator.clear_faults()
    here.goes("calls_exhausted")


@pytest.mark.parametrize("path", [LIVE_VIEW, ANALYTICS])
def test_conversations_that_may_not_be_read(here: Scene, path: str) -> None:
    here.simulator.fault("answer", method="GET", path=path, status=403)
    if path is ANALYTICS:
        here.simulator.fault("answer", method="GET", path=LIVE_VIEW, status=404)  # then analytics are asked
    call = here.call().register().until("subscribed")

    here.comes("reads_forbidden")
    here.simulator.clear_faults()

    here.goes("reads_forbidden")
    call.act("end").act("wrapup").until_delivered()


def test_a_client_that_may_read_neither_topics_nor_conversations(tmp_path: Path) -> None:
    with scene(tmp_path, GENESYS_CLIENT_ID="narrow", GENESYS_CLIENT_SECRET="narrow-secret") as here:
        client = {"id": "narrow", "secret": "narrow-secret", "grant": "client-credentials"}
        missing = ["analytics:conversationDetail:view", "conversation:communication:view"]
        here.simulator.control("POST", "/clients", {**client, "missing": missing})
        here.call().register()

        # No question is due for two minutes: that its topic is refused has the views asked.
        trouble = here.comes("reads_forbidden")
        assert " and ".join(sorted(missing, reverse=True)) in trouble["text"]

        here.simulator.control("POST", "/clients", {**client, "missing": []})
        here.simulator.fault("revoked_token")  # what a token may do is settled when it is issued
        here.goes("reads_forbidden")


def test_frames_that_can_not_be_read(here: Scene) -> None:
    here.call().register().until("subscribed")

    here.simulator.fault("garbage_frame")

    trouble = here.comes("frames_set_aside")
    assert "set aside in the last hour" in trouble["text"]


def test_an_assertion_that_was_used_already(tmp_path: Path) -> None:
    file = tmp_path / "assertion"
    file.write_bytes(base64.b64encode(os.urandom(400)))
    saml = {
        "GENESYS_GRANT_TYPE": "saml2-bearer",
        "GENESYS_ORG_NAME": "simulator-org",
        "GENESYS_SAML_ASSERTION_FILE": str(file),
    }
    with scene(tmp_path, options={"refuseReplays": "true"}, **saml) as here:
        here.call().register().until("subscribed")
        here.simulator.fault("revoked_token")

        here.comes("assertion_stale")
        here.comes("no_token")

        file.write_bytes(base64.b64encode(os.urandom(400)))
        here.goes("assertion_stale")
        here.goes("no_token")
