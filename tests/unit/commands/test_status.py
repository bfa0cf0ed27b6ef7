"""``status`` asks a gateway over HTTP, prints the promise and the troubles, and tells both by its exit code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
from click.testing import CliRunner, Result

from genesys_gateway.commands.cli import main
from genesys_gateway.oversight.codes import trouble
from genesys_gateway.oversight.finding import Finding
from tests.doubles.web import OPS_TOKEN

URL = "http://127.0.0.1:8080"
AT = "2026-11-22T10:00:00.000Z"
ADDRESS = f"{URL}/ops/api/status"
DOWN = trouble(Finding(code="receiver_down", since=0, facts={"error": "HTTP 503"}), {"backlog": 2})
TROUBLE = {"code": DOWN.code, "since": "2026-11-22T10:00:00.000Z", "text": DOWN.text, "advice": DOWN.advice}


def answer(*troubles: dict[str, str], unaccounted: int = 0) -> dict[str, Any]:
    promise = {"accepted": 12, "followed": 3, "closed": 9, "unaccounted": unaccounted}
    figures = {"backlog": 1, "dead": 0, "uncovered": 2, "released": 0}
    return {"at": AT, "promise": promise, **figures, "troubles": list(troubles), "instances": [], "later": "x"}


@pytest.fixture
def gateway() -> Iterator[requests_mock.Mocker]:
    """What answers for the gateway."""
    with requests_mock.Mocker() as mocker:
        mocker.get(ADDRESS, json=answer())
        yield mocker


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A file with a token."""
    path = tmp_path / "token"
    path.write_text(f"{OPS_TOKEN}\n")
    return str(path)


def ask(*words: str, **environ: str) -> Result:
    names = ("GATEWAY_BIND", "GATEWAY_TOKENS", "GATEWAY_TOKENS_FILE", "GATEWAY_CA_BUNDLE")
    env: dict[str, str | None] = {name: environ.get(name) for name in names}
    return CliRunner().invoke(main, ["status", *words], env=env)


def test_without_trouble_it_prints_the_promise_in_one_line(gateway: requests_mock.Mocker, token: str) -> None:
    result = ask("--url", URL, "--token-file", token)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "The promise is kept: 12 accepted = 3 followed + 9 closed;"
        " 1 record waiting, 0 dead, 2 conversations uncovered.",
        "No trouble.",
    ]
    assert gateway.request_history[0].headers["Authorization"] == f"Bearer {OPS_TOKEN}"


def test_each_trouble_is_printed_with_its_time_and_advice(gateway: requests_mock.Mocker, token: str) -> None:
    gateway.get(ADDRESS, json=answer(TROUBLE, unaccounted=1))

    result = ask("--url", f"{URL}/", "--token-file", token)

    assert result.exit_code == 1
    head, _, name, text, advice = result.stdout.splitlines()
    assert head.startswith("The promise is BROKEN (1 unaccounted): ")
    assert name.startswith("receiver_down, since 2026-11-22T10:00:00.000Z (")
    assert (text, advice) == (f"  {DOWN.text}", f"  {DOWN.advice}")
    assert advice.endswith("docs/runbook.md#receiver_down")


def test_while_the_database_refuses_it_tells_when_the_figures_were_read(
    gateway: requests_mock.Mocker, token: str
) -> None:
    gateway.get(ADDRESS, json=answer(TROUBLE | {"code": "disk_refuses"}))

    head = ask("--url", URL, "--token-file", token).stdout.splitlines()[0]

    assert head.startswith(f"The promise can't be checked now; read {AT} (")
    assert "): 12 accepted = " in head


def test_before_the_database_was_read_it_says_that_the_promise_cannot_be_checked(
    gateway: requests_mock.Mocker, token: str
) -> None:
    gateway.get(ADDRESS, status_code=503)

    result = ask("--url", URL, "--token-file", token)

    assert result.exit_code == 2
    assert "the promise can't be checked now" in result.stderr


@pytest.mark.parametrize(("troubles", "code"), [([], 0), ([TROUBLE], 1)])
def test_json_is_the_answer_as_it_came(
    gateway: requests_mock.Mocker, token: str, troubles: list[dict[str, str]], code: int
) -> None:
    gateway.get(ADDRESS, json=answer(*troubles))

    result = ask("--url", URL, "--token-file", token, "--json")

    assert (result.exit_code, result.stderr) == (code, "")
    assert json.loads(result.stdout) == answer(*troubles)


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("0.0.0.0:9000", "127.0.0.1:9000"),
        ("[::]:9000", "[::1]:9000"),
        ("gw1.bank.example:9000", "gw1.bank.example:9000"),
    ],
)
def test_the_address_and_the_token_come_from_the_gateways_own_settings(
    gateway: requests_mock.Mocker, bind: str, host: str
) -> None:
    gateway.get(f"http://{host}/ops/api/status", json=answer())

    result = ask(GATEWAY_BIND=bind, GATEWAY_TOKENS=f"bofe:bofe-token-1234,ops:{OPS_TOKEN}")

    assert result.exit_code == 0
    assert gateway.request_history[0].headers["Authorization"] == f"Bearer {OPS_TOKEN}"
    assert gateway.request_history[0].netloc == host


def test_without_any_setting_it_asks_where_a_gateway_listens_by_default(
    gateway: requests_mock.Mocker, token: str
) -> None:
    assert ask("--token-file", token).exit_code == 0


def test_a_file_may_hold_pairs_of_roles_and_tokens(gateway: requests_mock.Mocker, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"bofe:bofe-token-1234\nops:{OPS_TOKEN}\n")

    assert ask(GATEWAY_TOKENS_FILE=str(path)).exit_code == 0
    assert gateway.request_history[0].headers["Authorization"] == f"Bearer {OPS_TOKEN}"


@pytest.mark.parametrize(
    ("words", "environ", "reason"),
    [
        ([], {}, "give --token-file"),
        (["--token-file", "/nowhere/token"], {}, "/nowhere/token can't be read: No such file"),
        ([], {"GATEWAY_TOKENS": "bofe:bofe-token-1234"}, "no token of the role ops"),
        ([], {"GATEWAY_TOKENS": "two words"}, "must be one word"),
        (["--url", "ftp://x"], {"GATEWAY_TOKENS": f"ops:{OPS_TOKEN}"}, "--url must be"),
        ([], {"GATEWAY_TOKENS": f"ops:{OPS_TOKEN}", "GATEWAY_BIND": "unix:/run/gw.sock"}, "give --url"),
        ([], {"GATEWAY_TOKENS": f"ops:{OPS_TOKEN}", "GATEWAY_BIND": "nonsense"}, "GATEWAY_BIND must be"),
    ],
)
def test_a_missing_address_or_token_is_told(
    gateway: requests_mock.Mocker, words: list[str], environ: dict[str, str], reason: str
) -> None:
    result = ask(*words, **environ)

    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert OPS_TOKEN not in result.stderr
    assert gateway.request_history == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"exc": requests.ConnectionError}, "does not answer (ConnectionError)"),
        ({"exc": requests.ReadTimeout}, "does not answer (ReadTimeout)"),
        ({"status_code": 401}, "answers 401: the token is unknown"),
        ({"status_code": 403}, "answers 403: the token has not the role ops"),
        ({"status_code": 404}, "answers 404"),
        ({"status_code": 503}, "answers 503: it is starting or ending"),
        ({"status_code": 302, "headers": {"Location": "http://elsewhere.invalid/"}}, "answers 302"),
        ({"text": "<html>"}, "answers something else"),
        ({"text": "[]"}, "answers something else"),
        ({"json": {"promise": {}}}, "answers something else"),
        ({"json": answer() | {"troubles": [{"code": "x"}]}}, "answers something else"),
    ],
)
def test_a_gateway_that_gives_no_status_is_told(
    gateway: requests_mock.Mocker, token: str, given: dict[str, Any], reason: str
) -> None:
    gateway.get(ADDRESS, **given)

    for words in ([], ["--json"]):
        result = ask("--token-file", token, *words)

        assert (result.exit_code, result.stdout) == (2, "")
        assert f"The gateway can't be asked: {URL} {reason}" in result.stderr
        assert OPS_TOKEN not in result.stderr


def test_what_a_gateway_answers_cannot_move_the_cursor(gateway: requests_mock.Mocker, token: str) -> None:
    gateway.get(ADDRESS, json=answer(TROUBLE | {"text": "\x1b[2J", "since": "\x07soon"}))

    result = ask("--token-file", token)

    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
