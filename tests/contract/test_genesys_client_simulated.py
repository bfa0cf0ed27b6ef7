"""The client against the simulator, over real HTTP: both understand the API in the same way."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import pytest

from genesys_gateway.genesys.client import Forbidden, Genesys, NotFound, NoToken, TokenDead, TooManyTopics
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.genesys.rate_limiter import CONNECTIONS, RateLimiter
from genesys_gateway.genesys.tokens import Tokens
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import NoReply, PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings.secret import Secret
from tests.doubles.genesys import PLENTY, settings
from tests.doubles.runtime import until
from tests.doubles.simulator import Simulated, acw_topic

pytest_plugins = ("simulator_fixture",)

NOBODY = "00000000-0000-0000-0000-000000000000"
DAY_MS = 86_400_000


class ClientOnSimulator:
    """The client as the gateway builds it, connected to the simulator."""

    def __init__(self, sim: Simulated, stack: ExitStack, **changes: Any) -> None:
        made = settings(
            **{
                "genesys_client_id": "simulator-client",
                "genesys_client_secret": Secret.of("simulator-secret"),
                "retry_base_seconds": 0.01,
                **changes,
            }
        )
        clock, metrics = SystemClock(), Metrics()
        login, api = (HttpClient(made, sim.url, clock, size) for size in (1, CONNECTIONS))
        stack.callback(login.close)
        stack.callback(api.close)
        self.clock = clock
        self.tokens = Tokens(made, login, clock, metrics)
        self.genesys = Genesys(made, api, self.tokens, RateLimiter(made.api_rate_per_minute, clock), clock, metrics)
        self.names = NameCache(self.genesys, clock, **PLENTY)


@pytest.fixture(name="stack")
def _stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(name="client")
def _client(sim: Simulated, stack: ExitStack) -> ClientOnSimulator:
    return ClientOnSimulator(sim, stack)


def answered(sim: Simulated, path: str) -> list[int]:
    """Status of each call that the simulator has received for paths beginning with this one."""
    return [call["status"] for call in sim.sim("GET", "ledger")["calls"] if call["path"].startswith(path)]


def test_a_channel_its_topics_and_their_end(client: ClientOnSimulator) -> None:
    genesys = client.genesys
    grant = genesys.create_channel()
    first, second, third = (acw_topic({"conversationId": f"{n:08d}{NOBODY[8:]}"}) for n in (1, 2, 3))

    assert abs(grant.expires_at - client.clock.now() - DAY_MS) < 60_000
    assert grant.token is client.tokens.current()
    assert all(result.permitted for result in genesys.add_topics(grant.id, grant.token, [first, second]))
    assert genesys.topics(grant.id, grant.token) == {first, second}
    genesys.replace_topics(grant.id, grant.token, [second, third])
    assert genesys.topics(grant.id, grant.token) == {second, third}
    genesys.clear_topics(grant.id, grant.token)
    assert genesys.topics(grant.id, grant.token) == set()
    assert genesys.count_channels() == 1


def test_a_thousand_topics_go_in_one_call_and_one_more_does_not(client: ClientOnSimulator) -> None:
    grant = client.genesys.create_channel()
    topics = [acw_topic({"conversationId": f"{n:08d}{NOBODY[8:]}"}) for n in range(1001)]

    client.genesys.add_topics(grant.id, grant.token, topics[:1000])

    with pytest.raises(TooManyTopics):
        client.genesys.add_topics(grant.id, grant.token, topics[1000:])
    assert client.genesys.topics(grant.id, grant.token) == set(topics[:1000])


def test_one_forbidden_topic_does_not_spoil_the_others(sim: Simulated, client: ClientOnSimulator) -> None:
    good, bad = (acw_topic({"conversationId": f"{n:08d}{NOBODY[8:]}"}) for n in (1, 2))
    sim.sim("POST", "faults", {"name": "reject_topics", "topic": bad})
    grant = client.genesys.create_channel()

    results = client.genesys.add_topics(grant.id, grant.token, [good, bad])

    assert {result.topic: result.permitted for result in results} == {good: True, bad: False}


def test_an_unknown_channel_is_not_found(client: ClientOnSimulator) -> None:
    with pytest.raises(NotFound):
        client.genesys.topics("streaming-0-unknown", client.tokens.current())


def test_a_conversation_and_what_analytics_say_of_it(sim: Simulated, client: ClientOnSimulator) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    call = sim.call(mediaType="VOICE", direction="INBOUND")
    sim.play(call, "wrapup")
    sim.play(call, "end")

    conversation = client.genesys.conversation(call["conversationId"])
    details = client.genesys.conversation_details([call["conversationId"], NOBODY])

    assert (conversation.id, conversation.ended, len(conversation.agents)) == (call["conversationId"], True, 1)
    assert [one.conversation_id for one in details] == [call["conversationId"]]
    with pytest.raises(NotFound):
        client.genesys.conversation(NOBODY)


def test_names_of_agents_and_codes(sim: Simulated, client: ClientOnSimulator) -> None:
    user, code = f"11111111{NOBODY[8:]}", f"22222222{NOBODY[8:]}"
    sim.sim("POST", "users", {"id": user, "name": "Maria Cruz"})
    sim.sim("POST", "wrapup-codes", {"id": code, "name": "Loan question"})

    for _ in range(3):
        assert client.names.agent(user) == "Maria Cruz"
        assert client.names.wrapup(code) == "Loan question"
        assert client.names.wrapup("ININ-WRAP-UP-TIMEOUT") is None

    assert answered(sim, "/api/v2/users") == [200]
    assert sorted(answered(sim, "/api/v2/routing/wrapupcodes")) == [200, 404]


def test_two_hundred_agents_are_named_in_six_calls_at_most(sim: Simulated, client: ClientOnSimulator) -> None:
    ids = [f"{n:08d}{NOBODY[8:]}" for n in range(1, 201)]
    for one in ids:
        sim.sim("POST", "users", {"id": one, "name": f"Agent {one[:8]}"})
    client.tokens.current()
    sim.sim("POST", "faults", {"name": "slow", "path": "/api/v2/users*", "delaySeconds": 0.08})

    asking = [gevent.spawn(client.names.agent, one) for one in ids]
    gevent.joinall(asking)

    assert [one.value for one in asking] == [f"Agent {one[:8]}" for one in ids]
    assert len(answered(sim, "/api/v2/users")) <= 6


@pytest.mark.parametrize(("fault", "calls"), [({"status": 403}, 6), ({"status": 500}, 6)])
def test_refused_in_bulk_names_come_one_by_one(
    sim: Simulated, client: ClientOnSimulator, fault: dict[str, Any], calls: int
) -> None:
    ids = [f"{n:08d}{NOBODY[8:]}" for n in range(1, 6)]
    for one in ids:
        sim.sim("POST", "users", {"id": one, "name": "Ana"})
    sim.sim("POST", "faults", {"name": "answer", "path": "/api/v2/users", **fault})

    asking = [gevent.spawn(client.names.agent, one) for one in ids]
    gevent.joinall(asking)

    assert [one.value for one in asking] == ["Ana"] * 5
    assert len(answered(sim, "/api/v2/users")) == calls


def test_wrapup_codes_are_named_together_and_a_system_code_alone(sim: Simulated, client: ClientOnSimulator) -> None:
    codes = [f"{n:08d}{NOBODY[8:]}" for n in range(1, 31)]
    for one in codes:
        sim.sim("POST", "wrapup-codes", {"id": one, "name": "Loan question"})

    asking = [gevent.spawn(client.names.wrapup, one) for one in (*codes, "ININ-WRAP-UP-TIMEOUT", NOBODY)]
    gevent.joinall(asking)

    assert [one.value for one in asking] == ["Loan question"] * 30 + [None, None]
    assert sorted(answered(sim, "/api/v2/routing/wrapupcodes")) == [200, 404, 404]


def test_a_missing_permission_hides_the_name_and_forbids_the_conversation(sim: Simulated, stack: ExitStack) -> None:
    missing = ["routing:wrapupCode:view", "conversation:communication:view"]
    sim.sim("POST", "clients", {"id": "poor", "secret": "poor-secret", "missing": missing})
    client = ClientOnSimulator(sim, stack, genesys_client_id="poor", genesys_client_secret=Secret.of("poor-secret"))
    code = f"22222222{NOBODY[8:]}"
    sim.sim("POST", "wrapup-codes", {"id": code, "name": "Loan question"})

    assert client.names.wrapup(code) is None
    with pytest.raises(Forbidden):
        client.genesys.conversation(sim.call()["conversationId"])


def test_a_revoked_token_is_renewed_and_its_channel_is_lost(sim: Simulated, client: ClientOnSimulator) -> None:
    grant = client.genesys.create_channel()
    sim.sim("POST", "tokens/revoke")

    assert client.genesys.user_name(NOBODY) is None
    with pytest.raises(TokenDead):
        client.genesys.topics(grant.id, grant.token)
    assert client.tokens.current() is not grant.token
    assert answered(sim, "/oauth/token") == [200, 200]


def test_a_channel_whose_answer_was_lost_was_made_once_and_only_once(sim: Simulated, client: ClientOnSimulator) -> None:
    sim.sim("POST", "faults", {"name": "reply_lost", "method": "POST", "path": "/api/v2/notifications/channels"})

    with pytest.raises(NoReply):
        client.genesys.create_channel()

    assert len(sim.sim("GET", "channels")) == 1


@pytest.mark.parametrize("fault", ["reset", "reply_lost", "garbage_answer"])
def test_a_fault_on_the_wire_is_transient(sim: Simulated, client: ClientOnSimulator, fault: str) -> None:
    client.tokens.current()
    sim.sim("POST", "faults", {"name": fault, "path": "/api/v2/users/*", "count": 1})

    with pytest.raises(TransientFailure):
        client.genesys.user_name(NOBODY)

    assert client.genesys.user_name(NOBODY) is None


@pytest.mark.parametrize("fault", [{"name": "hang"}, {"name": "slow_body", "bytesPerSecond": 1}])
def test_an_answer_that_does_not_come_in_time_is_no_reply(
    sim: Simulated, stack: ExitStack, fault: dict[str, Any]
) -> None:
    client = ClientOnSimulator(sim, stack, http_timeout_seconds=0.3)
    client.tokens.current()
    sim.sim("POST", "faults", {"path": "/api/v2/users/*", "seconds": 30, **fault})

    with gevent.Timeout(20), pytest.raises(NoReply):
        client.genesys.user_name(NOBODY)


def test_the_limit_that_genesys_reports_is_kept_before_it_has_to_refuse(
    sim: Simulated, client: ClientOnSimulator
) -> None:
    sim.sim("PATCH", "settings", {"callsPerMinute": 5})
    callers = [gevent.spawn(client.genesys.user_name, NOBODY)]
    gevent.joinall(callers)

    callers += [gevent.spawn(client.genesys.user_name, NOBODY) for _ in range(10)]
    until(lambda: sum(one.dead for one in callers) == 5)
    gevent.sleep(0.05)

    assert sum(one.dead for one in callers) == 5
    assert answered(sim, "/api/v2/users") == [404] * 5
    gevent.killall(callers)


def test_a_refused_assertion_waits_for_its_successor(sim: Simulated, stack: ExitStack, tmp_path: Path) -> None:
    sim.sim("PATCH", "settings", {"refuseReplays": True})
    file = tmp_path / "assertion"
    file.write_bytes(base64.encodebytes(b"\xfb\xef\xbe" * 60))
    saml = {
        "genesys_grant_type": "saml2-bearer",
        "genesys_org_name": "simulator-org",
        "genesys_saml_assertion_file": file,
    }
    client = ClientOnSimulator(sim, stack, **saml)
    first = client.tokens.current()

    client.tokens.discard(first)
    with pytest.raises(PermanentFailure, match="used before"):
        client.tokens.current()
    with pytest.raises(TransientFailure, match="replace"):  # it was not sent again
        client.tokens.current()
    file.write_bytes(base64.b64encode(b"fresh"))

    assert client.tokens.current() != first
    assert answered(sim, "/oauth/token") == [200, 400, 200]


def test_a_wrong_secret_is_refused_with_what_to_fix(sim: Simulated, stack: ExitStack) -> None:
    client = ClientOnSimulator(sim, stack, genesys_client_secret=Secret.of("wrong"))

    with pytest.raises(NoToken, match="GENESYS_CLIENT_SECRET"):
        client.genesys.create_channel()


def test_two_hundred_who_need_a_token_cost_one_request(sim: Simulated, client: ClientOnSimulator) -> None:
    callers = [gevent.spawn(client.tokens.current) for _ in range(200)]
    gevent.joinall(callers)

    assert len({one.value.value for one in callers if one.value}) == 1
    assert answered(sim, "/oauth/token") == [200]
