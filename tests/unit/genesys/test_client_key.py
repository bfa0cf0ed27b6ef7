"""Instances share a budget of channels exactly if Genesys may count their channels together."""

from pathlib import Path
from typing import Any

import pytest

from genesys_gateway.genesys.client_key import client_key
from tests.doubles.genesys import settings

SIGNED: dict[str, Any] = {
    "genesys_grant_type": "saml2-bearer",
    "genesys_saml_key_file": Path("key.pem"),
    "genesys_saml_subject": "gateway@bank.test",
}


def test_the_same_client_has_the_same_key_in_every_process() -> None:
    assert client_key(settings()) == client_key(settings(bind="127.0.0.1:9999", channel_topics=5))
    assert len(client_key(settings())) == 64
    assert client_key(settings(genesys_client_id="THE-client")) == client_key(settings())


@pytest.mark.parametrize(
    "changes", [{"genesys_client_id": "another"}, {"genesys_api_url": "https://api.another.test"}, SIGNED]
)
def test_another_client_organisation_or_user_has_another_key(changes: dict[str, Any]) -> None:
    assert client_key(settings(**changes)) != client_key(settings())


def test_users_of_signed_assertions_are_distinguished_whatever_their_case() -> None:
    one = client_key(settings(**SIGNED))
    assert client_key(settings(**{**SIGNED, "genesys_saml_subject": "Gateway@Bank.test"})) == one
    assert client_key(settings(**{**SIGNED, "genesys_saml_subject": "second@bank.test"})) != one


@pytest.mark.parametrize(
    "source", [{"genesys_saml_assertion_file": Path("a")}, {"genesys_saml_assertion_url": "https://idp.test/a"}]
)
def test_the_users_of_assertions_from_elsewhere_are_unknown_so_the_client_alone_counts(source: dict[str, Any]) -> None:
    named = settings(**{**SIGNED, "genesys_saml_key_file": None, **source})
    assert client_key(named) == client_key(settings())
