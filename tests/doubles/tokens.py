"""Tokens whose login host is mocked, and the answers of that host."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from genesys_gateway.genesys.assertions.history import SentAssertions
from genesys_gateway.genesys.tokens import Token, Tokens, TokenTrouble
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.genesys import LOGIN, settings
from tests.doubles.runtime import FakeClock

TOKEN_URL = f"{LOGIN}/oauth/token"


class _LongestWait(Random):
    """Makes each back-off as long as it can be."""

    def uniform(self, a: float, b: float) -> float:
        return b


class TokensOnMockedLogin:
    """Tokens with a fake clock and with metrics of their own; requests_mock answers for the login host."""

    def __init__(self, sent: SentAssertions | None = None, machine: FakeClock | None = None, **changes: Any) -> None:
        self.clock = FakeClock()
        self.machine = self.clock if machine is None else machine
        self.metrics = Metrics()
        made = settings(**changes)
        http = HttpClient(made, LOGIN, self.machine, 2)
        self._tokens = Tokens(made, http, self.clock, self.metrics, _LongestWait(), sent, self.machine)

    def current(self) -> Token:
        return self._tokens.current()

    def value(self) -> str:
        return self._tokens.current().value

    def error(self) -> GatewayError:
        """The error that is raised instead of a token."""
        with pytest.raises(GatewayError) as raised:
            self._tokens.current()
        return raised.value

    def discard(self, token: Token) -> None:
        self._tokens.discard(token)

    def accepted(self, token: Token) -> None:
        self._tokens.accepted(token)

    @property
    def trouble(self) -> TokenTrouble | None:
        return self._tokens.trouble

    def stale(self) -> float | None:
        """The gauge assertion_stale after another check."""
        self._tokens.check_renewal()
        return self.sample("assertion_stale")

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels)


def granted(value: str = "token-1", seconds: object = 1000) -> dict[str, Any]:
    """An answer that grants a token which lives that long."""
    return {"json": {"access_token": value, "token_type": "bearer", "expires_in": seconds}}


def refused(code: str, description: str = "some words") -> dict[str, Any]:
    """An answer that refuses a token."""
    return {
        "status_code": 400,
        "json": {"error": code, "description": description, "error_description": description},
    }


def tokens_by_file(
    folder: Path, content: bytes = b"QXNzZXJ0aW9u+/==", sent: SentAssertions | None = None
) -> TokensOnMockedLogin:
    """Tokens for assertions from the file ``assertion`` in that folder, which is given this content."""
    file = folder / "assertion"
    file.write_bytes(content)
    return TokensOnMockedLogin(
        sent, genesys_grant_type="saml2-bearer", genesys_org_name="bank", genesys_saml_assertion_file=file
    )
