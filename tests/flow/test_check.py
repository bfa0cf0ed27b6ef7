"""``check`` before going live: it confirms what is right, and finds and names each mistake of an administrator."""

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from genesys_gateway.storage.file_lock import FileLock
from genesys_gateway.storage.migrate import migrate
from tests.doubles.identity_provider import AUDIENCE, pair, signing
from tests.flow.gateways import launch_gateway
from tests.harness.processes import ROOT, free_port
from tests.harness.simulator import Simulator
from tests.harness.tls_front import Authority, ConnectProxy, tls_front
from tests.harness.waiting import until

SECRETS = ("simulator-secret", "canary-secret", "canary-history-token", "canary-bofe-token-0123456789")


@dataclass(slots=True, kw_only=True)
class Case:
    """An environment without a mistake, into which a test puts one."""

    simulator: Simulator
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    stack: ExitStack

    def __post_init__(self) -> None:
        url = self.simulator.url
        self.environ |= {
            "GENESYS_LOGIN_URL": url,
            "GENESYS_API_URL": url,
            "GENESYS_STREAMING_HOSTS": url.removeprefix("http://"),
            "GENESYS_GRANT_TYPE": "client-credentials",
            "GENESYS_CLIENT_ID": "simulator-client",
            "GENESYS_CLIENT_SECRET": "simulator-secret",
            "COMMUNICATION_HISTORY_URL": f"{url}/history",
            "COMMUNICATION_HISTORY_TOKEN": "canary-history-token",
            "DATABASE_URL": self.database_url,
            "GATEWAY_TOKENS": "bofe:canary-bofe-token-0123456789",
            "GATEWAY_HTTP_TIMEOUT_SECONDS": "2",
        }
        migrate(self.database_url)

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder}/gateway.db"

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command, as an administrator does."""
        command = [sys.executable, "-m", "genesys_gateway", "check", *arguments]
        environ = {"PATH": os.environ["PATH"]} | self.environ
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
        assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]
        return done

    def findings(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """Its findings by area; asserts that the exit code agrees with them."""
        done = self.command("--json", *arguments)
        told = json.loads(done.stdout)
        crosses = [one for one in told["findings"] if one["state"] == "wrong"]
        assert all(one["advice"] for one in crosses)
        assert (done.returncode, told["ok"]) == ((1, False) if crosses else (0, True)), done.stderr
        return {one["area"]: one for one in told["findings"]}

    def crosses(self, *arguments: str) -> dict[str, str]:
        """Area, text and advice of each cross."""
        found = self.findings(*arguments).values()
        return {one["area"]: f"{one['text']} → {one['advice']}" for one in found if one["state"] == "wrong"}

    def client(self, **changes: Any) -> None:
        """Use another OAuth client of the simulator, with a mistake in it."""
        told = {"id": "another-client", "secret": "canary-secret", "grant": "client-credentials"}
        self.simulator.control("POST", "/clients", told | changes)
        self.environ |= {"GENESYS_CLIENT_ID": "another-client", "GENESYS_CLIENT_SECRET": "canary-secret"}

    def fault(self, **how: Any) -> None:
        self.simulator.control("POST", "/faults", how)

    def assertion(self, xml: str) -> None:
        """Use the grant saml2-bearer, with this XML in the assertion file."""
        file = self.folder / "assertion"
        file.write_text(base64.b64encode(xml.encode()).decode())
        self.environ |= {
            "GENESYS_GRANT_TYPE": "saml2-bearer",
            "GENESYS_ORG_NAME": "simulator-org",
            "GENESYS_SAML_ASSERTION_FILE": str(file),
        }

    def signed(self, **changes: str) -> None:
        """Use the grant saml2-bearer with assertions that the gateway signs, and a Genesys that checks them."""
        believed = {"samlCertificate": pair()[1].decode(), "samlAudience": AUDIENCE}
        self.simulator.control("PATCH", "/settings", believed)
        self.environ |= signing(self.folder) | changes


@pytest.fixture(scope="module", name="genesys")
def _genesys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    running = Simulator(tmp_path_factory.mktemp("simulator"))
    yield running
    running.stop()


@pytest.fixture
def case(genesys: Simulator, tmp_path: Path) -> Iterator[Case]:
    genesys.control("POST", "/reset")
    genesys.control("POST", "/history/mode", {"token": "canary-history-token"})
    with ExitStack() as stack:
        yield Case(simulator=genesys, folder=tmp_path, stack=stack)


def test_where_all_is_well_there_are_only_ticks_and_nothing_has_changed(case: Case) -> None:
    done = case.command()

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "No cross."
    assert "✗" not in done.stdout
    assert case.simulator.control("GET", "/channels") == []
    assert case.simulator.control("GET", "/history")["records"] == []
    methods = {call["method"] for call in case.simulator.control("GET", "/ledger?part=calls")["calls"]}
    assert methods == {"GET", "POST"}
    posted = [c["path"] for c in case.simulator.control("GET", "/ledger?part=calls")["calls"] if c["method"] == "POST"]
    assert posted == ["/oauth/token"]


def test_a_probe_is_written_only_when_asked_for_and_is_kept_once(case: Case) -> None:
    found = case.findings("--write-probe")

    assert found["history keeps our id"]["state"] == "good"
    (stored,) = case.simulator.control("GET", "/history")["records"]
    assert stored["record"]["customerId"] is None
    assert "Probe" in stored["record"]["title"]


# Each plants one mistake, and gives the area and the text with which it must be found.

Plant = Callable[[Case], None]


def wrong_secret(case: Case) -> None:
    case.environ["GENESYS_CLIENT_SECRET"] = "canary-secret"


def wrong_grant(case: Case) -> None:
    case.client(grant="saml2-bearer")


def login_host_of_nowhere(case: Case) -> None:
    case.environ["GENESYS_LOGIN_URL"] = f"http://127.0.0.1:{free_port()}"


def region_that_does_not_exist(case: Case) -> None:
    case.environ["GENESYS_API_URL"] = "https://api.mypurecloud.invalid"


def clock_that_is_wrong(case: Case) -> None:
    case.environ["GENESYS_LOGIN_URL"] += "/login"
    case.fault(name="answer", path="/login/*", status=404, headers={"Date": "Sun, 22 Nov 2026 08:00:00 GMT"})


def no_such_topic(case: Case) -> None:
    case.fault(
        name="answer", path="*/availabletopics", status=200, body={"entities": [{"id": "v2.users.{id}.presence"}]}
    )


def topic_without_websocket(case: Case) -> None:
    topic = {"id": "v2.detail.events.conversation.{id}.acw", "transports": ["EventBridge"]}
    case.fault(name="answer", path="*/availabletopics", status=200, body={"entities": [topic]})


def no_right_to_conversations(case: Case) -> None:
    case.client(missing=["conversation:communication:view"])


def no_right_to_analytics(case: Case) -> None:
    case.client(missing=["analytics:conversationDetail:view"])


def no_right_to_wrapup_codes(case: Case) -> None:
    case.client(missing=["routing:wrapupCode:view"])


def no_right_to_users(case: Case) -> None:
    case.fault(name="answer", path="/api/v2/users/*", status=403, body={"code": "missing.permissions"})


def no_scope_for_channels(case: Case) -> None:
    case.fault(name="answer", path="/api/v2/notifications/channels", status=403, body={"code": "missing.scope"})


def api_of_another_region(case: Case) -> None:
    case.fault(name="answer", path="/api/v2/*", status=401)


def something_else_at_the_api(case: Case) -> None:
    case.fault(name="garbage_answer", path="/api/v2/tokens/me")


def wrong_history_token(case: Case) -> None:
    case.environ["COMMUNICATION_HISTORY_TOKEN"] = "another"


def history_that_is_down(case: Case) -> None:
    case.environ["COMMUNICATION_HISTORY_URL"] = f"http://127.0.0.1:{free_port()}"


def wrong_history_path(case: Case) -> None:
    case.environ["COMMUNICATION_HISTORY_URL"] += "/v7"


def history_that_moved(case: Case) -> None:
    case.fault(name="answer", path="/history/*", status=301, headers={"Location": "https://elsewhere.example/"})


def no_tables(case: Case) -> None:
    case.environ["DATABASE_URL"] = f"sqlite:///{case.folder}/other.db"


def tables_of_a_later_version(case: Case) -> None:
    with sqlite3.connect(case.folder / "gateway.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def no_database_at_all(case: Case) -> None:
    (case.folder / "gateway.db").write_bytes(b"no database, but as long as one would be" * 100)


def wrong_setting(case: Case) -> None:
    case.environ["GATEWAY_CHANNEL_BUDGET"] = "21"


def proxy_that_is_not_there(case: Case) -> None:
    case.environ["GATEWAY_HTTPS_PROXY"] = f"http://canary-user:canary-secret@127.0.0.1:{free_port()}"
    case.environ["GENESYS_API_URL"] = "https://api.mypurecloud.invalid"


def proxy_that_says_no(case: Case) -> None:
    proxy = case.stack.enter_context(ConnectProxy({}).running())
    case.environ |= {"GATEWAY_HTTPS_PROXY": proxy.url, "GENESYS_API_URL": "https://api.mypurecloud.invalid"}


def behind_tls(case: Case, *hosts: str) -> Authority:
    authority = Authority(case.folder)
    port = case.stack.enter_context(tls_front(case.simulator.port, authority.context(*hosts)))
    case.environ["GENESYS_API_URL"] = f"https://127.0.0.1:{port}"
    case.environ["GENESYS_STREAMING_HOSTS"] = f"127.0.0.1:{port}"
    return authority


def authority_nobody_told_us_of(case: Case) -> None:
    behind_tls(case, "127.0.0.1")


def certificate_of_another_host(case: Case) -> None:
    case.environ["GATEWAY_CA_BUNDLE"] = str(behind_tls(case, "other.example").file)


def assertion_out_of_date(case: Case) -> None:
    case.assertion('<samlp:Response><saml:Conditions NotOnOrAfter="2020-01-01T00:00:00Z"/></samlp:Response>')


def assertion_encrypted(case: Case) -> None:
    case.assertion("<samlp:Response><saml:EncryptedAssertion/></samlp:Response>")


def assertion_used_before(case: Case) -> None:
    case.simulator.control("PATCH", "/settings", {"refuseReplays": True})
    case.assertion("<x/>")
    assert case.crosses() == {}


def assertion_for_another_application(case: Case) -> None:
    case.signed(GENESYS_SAML_AUDIENCE="https://other.example")


def another_organisation(case: Case) -> None:
    case.signed(GENESYS_ORG_NAME="other-org")


MISTAKES: list[tuple[Plant, str, tuple[str, ...]]] = [
    (wrong_setting, "settings", ("GATEWAY_CHANNEL_BUDGET",)),
    (no_tables, "database", ("there is no", "migrate")),
    (tables_of_a_later_version, "database", ("9999", "later")),
    (no_database_at_all, "database", ("can't be used", "DATABASE_URL")),
    (proxy_that_is_not_there, "proxy", ("Connection refused", "GATEWAY_HTTPS_PROXY")),
    (proxy_that_says_no, "host api", ("proxy", "403")),
    (login_host_of_nowhere, "host login", ("can't be reached", "address")),
    (region_that_does_not_exist, "host api", ("NameResolutionError", "DNS")),
    (authority_nobody_told_us_of, "host api", ("unable to get local issuer certificate", "GATEWAY_CA_BUNDLE")),
    (certificate_of_another_host, "host api", ("certificate is not valid for", "GATEWAY_CA_BUNDLE")),
    (clock_that_is_wrong, "clock", (" s ", "NTP")),
    (wrong_secret, "token", ("invalid_client", "GENESYS_CLIENT_SECRET")),
    (wrong_grant, "token", ("unauthorized_client", "GENESYS_GRANT_TYPE")),
    (assertion_out_of_date, "assertion", ("out of date", "fresh")),
    (assertion_encrypted, "assertion", ("encrypted", "provider")),
    (assertion_used_before, "token", ("used before", "unused")),
    (assertion_for_another_application, "token", ("audience", "assertion")),
    (another_organisation, "token", ("orgName", "GENESYS_ORG_NAME")),
    (api_of_another_region, "tokens/me", ("does not know the token", "same region")),
    (something_else_at_the_api, "tokens/me", ("no JSON", "GENESYS_API_URL")),
    (no_right_to_conversations, "conversations", ("conversation:communication:view", "role")),
    (no_right_to_analytics, "analytics", ("analytics:conversationDetail:view", "role")),
    (no_right_to_wrapup_codes, "wrap-up codes", ("routing:wrapupCode:view", "role")),
    (no_right_to_users, "users", ("users:readonly",)),
    (no_scope_for_channels, "channels", ("missing.scope", "notifications")),
    (no_such_topic, "topic", ("offers no topic", "support")),
    (topic_without_websocket, "topic", ("WebSocket", "support")),
    (wrong_history_token, "history", ("401", "COMMUNICATION_HISTORY_TOKEN")),
    (wrong_history_path, "history", ("nothing at the address", "COMMUNICATION_HISTORY_URL")),
    (history_that_moved, "history", ("301", "COMMUNICATION_HISTORY_URL")),
    (history_that_is_down, "host history", ("can't be reached", "firewall")),
]


@pytest.mark.parametrize(("plant", "area", "words"), MISTAKES, ids=[plant.__name__ for plant, _, _ in MISTAKES])
def test_a_mistake_is_found_and_named(case: Case, plant: Plant, area: str, words: tuple[str, ...]) -> None:
    plant(case)

    crosses = case.crosses()

    assert area in crosses
    assert all(word in crosses[area] for word in words), crosses[area]


def test_there_are_at_least_twelve_and_each_is_one_of_its_own() -> None:
    assert len({plant for plant, _, _ in MISTAKES}) == len(MISTAKES) >= 12


@pytest.mark.parametrize(
    ("mode", "area", "words"),
    [
        ({"mode": "422"}, "history", ("refused a probe with 422",)),
        ({"mode": "500"}, "history", ("refused a probe with 500",)),
        ({"repeatStatus": 422}, "history keeps our id", ("the same probe again with 422",)),
    ],
)
def test_a_receiver_that_does_not_take_or_keep_a_probe_is_found(
    case: Case, mode: dict[str, Any], area: str, words: tuple[str, ...]
) -> None:
    case.simulator.control("POST", "/history/mode", {"token": "canary-history-token"} | mode)

    crosses = case.crosses("--write-probe")

    assert list(crosses) == [area]
    assert all(word in crosses[area] for word in words)


def test_a_receiver_that_stores_under_another_id_is_found(case: Case) -> None:
    case.fault(name="answer", method="GET", path="/history/communicationRecords/*", status=200, body={"id": "another"})

    assert "does not show it under that id" in case.crosses("--write-probe")["history keeps our id"]


def test_a_receiver_that_can_not_be_asked_is_no_mistake_but_said(case: Case) -> None:
    case.simulator.control("POST", "/history/mode", {"token": "canary-history-token", "lookup": False})

    found = case.findings("--write-probe")

    assert found["history keeps our id"]["state"] == "skipped"
    assert len(case.simulator.control("GET", "/history")["records"]) == 1


def test_several_mistakes_are_found_in_one_go(case: Case) -> None:
    for plant in (no_tables, wrong_secret, wrong_history_token):
        plant(case)

    assert sorted(case.crosses()) == ["database", "history", "token"]


def test_all_wrong_settings_are_named_at_once(case: Case) -> None:
    case.environ |= {"GATEWAY_CHANNEL_BUDGET": "21", "GATEWAY_BIND": "nonsense", "GENESYS_CLIENT_ID": ""}

    told = json.loads(case.command("--json").stdout)["findings"]

    assert [one["text"].split(" ")[0] for one in told] == [
        "GATEWAY_BIND",
        "GATEWAY_CHANNEL_BUDGET",
        "GENESYS_CLIENT_ID",
    ]


def test_with_an_assertion_of_our_own_everything_is_looked_at(case: Case) -> None:
    case.signed()

    assert case.crosses() == {}


def held_on_older_tables(case: Case) -> None:
    with sqlite3.connect(case.folder / "gateway.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    lock = FileLock.beside(case.database_url)
    assert lock is not None
    assert lock.acquire()
    case.stack.callback(lock.release)


def on_a_server_that_does_not_answer(case: Case) -> None:
    case.environ["DATABASE_URL"] = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"


@pytest.mark.parametrize(
    ("plant", "told"), [(held_on_older_tables, "a gateway runs"), (on_a_server_that_does_not_answer, "may run")]
)
def test_the_assertion_is_left_to_a_gateway_that_may_run_on_a_database_with_a_cross(
    case: Case, plant: Plant, told: str
) -> None:
    case.assertion("<for-the-gateway/>")
    plant(case)
    tokens = tokens_asked_for(case)

    found = case.findings()

    assert found["database"]["state"] == "wrong"
    assert found["token"]["state"] == "skipped"
    assert told in found["token"]["text"]
    assert tokens_asked_for(case) == tokens


def test_the_assertion_in_the_file_is_left_to_a_gateway_that_runs(case: Case, tmp_path: Path) -> None:
    case.assertion("<for-the-gateway/>")
    running = launch_gateway(tmp_path, case.simulator.url, **case.environ)
    case.stack.callback(running.stop)
    running.until_ready()
    until(lambda: tokens_asked_for(case) == 1, what="it asks for its token, maybe after it is ready")

    found = case.findings()

    assert found["gateway"]["text"] == "one runs on this database now"
    assert found["token"]["state"] == "skipped"
    assert "--use-assertion" in found["token"]["advice"]
    assert tokens_asked_for(case) == 1
    case.assertion("<for-the-check/>")
    assert case.findings("--use-assertion")["token"]["state"] == "good"


def tokens_asked_for(case: Case) -> int:
    """Number of requests to the login host."""
    calls = case.simulator.control("GET", "/ledger?part=calls")["calls"]
    return sum(call["path"] == "/oauth/token" for call in calls)
