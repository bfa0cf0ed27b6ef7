"""Every error becomes a problem that says what the caller can do, and reveals nothing internal."""

import http
import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator

import pytest
from werkzeug import exceptions as http_errors

import genesys_gateway
from app import create_app
from genesys_gateway.runtime.errors import GatewayError
from tests.doubles.web import ADDRESS, BOFE_TOKEN, PAIR, FakeGateway, bearer

CANARY = "what-is-inside /srv/gateway.db SELECT * FROM entry WHERE host = 'db.bank.internal' +639171234567"


def every_error_of_ours() -> Iterator[type[Exception]]:
    for module in pkgutil.walk_packages(genesys_gateway.__path__, "genesys_gateway."):
        # Simulator and demo share no code with the service; Alembic alone runs migrations; gunicorn's files start it.
        if not any(part in module.name for part in ("simulator", "demo", "migrations", "serving.")):
            importlib.import_module(module.name)
    yield from sorted(descendants(GatewayError), key=lambda kind: kind.__name__)


def descendants(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(descendants(child) for child in kind.__subclasses__()))


def made(kind: type[Exception]) -> Exception:
    """An error of this kind with a text that must not be shown, in each argument that it requires."""
    needed = [
        name
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY)
        and name != "self"
    ]
    texts: list[object] = [CANARY] * max(1, len(needed))
    if kind.__name__ == "SettingsError":
        texts = [(CANARY,)]
    return kind(*texts)


OURS = [made(kind) for kind in every_error_of_ours()]
OTHERS: list[Exception] = [
    *(kind(CANARY) for kind in (RuntimeError, ValueError, TypeError, KeyError, AttributeError, LookupError)),
    *(kind(CANARY) for kind in (OSError, TimeoutError, ConnectionResetError, PermissionError, MemoryError)),
    *(kind(CANARY) for kind in (RecursionError, AssertionError, ArithmeticError, NotImplementedError, EOFError)),
    UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
    ExceptionGroup(CANARY, [ValueError(CANARY)]),
]
HTTP = [
    kind(description=CANARY)
    for kind in vars(http_errors).values()
    if isinstance(kind, type) and issubclass(kind, http_errors.HTTPException) and kind.code and kind.code >= 400
]


@pytest.mark.parametrize("error", [*OURS, *OTHERS, *HTTP], ids=lambda error: type(error).__name__)
def test_it_becomes_a_problem_without_internals(error: Exception) -> None:
    gateway = FakeGateway()
    client = create_app(gateway).test_client()
    gateway.fail_with(error)

    answer = client.post(ADDRESS, json=PAIR, headers=bearer(BOFE_TOKEN))

    shown = f"{answer.headers}{answer.get_data(as_text=True)}"
    assert answer.content_type == "application/problem+json"
    assert 400 <= answer.status_code < 600
    problem = json.loads(answer.data)
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == answer.status_code
    assert problem["title"] == http.HTTPStatus(answer.status_code).phrase
    assert not [word for word in CANARY.split() if len(word) > 4 and word in shown]


def test_all_families_are_among_them() -> None:
    names = {type(error).__name__ for error in OURS}
    assert {
        "CallerError",
        "Unavailable",
        "PermanentFailure",
        "TransientFailure",
        "StorageUnavailable",
        "TokenRefused",
        "NoReply",
    } <= names
    assert len(names) == len(OURS) >= 25
