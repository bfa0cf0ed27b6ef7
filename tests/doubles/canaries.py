"""Values that tests use as secrets and as personal data, and that must not appear in any output.

A value that begins with ``canary`` needs no entry here: no such value may be printed or logged.
"""

from collections.abc import Iterable

from tests.doubles import web
from tests.harness import gateway

#: Nothing may print or log these.
SECRETS = (
    "canary",
    web.BOFE_TOKEN,
    web.OPS_TOKEN,
    web.BACKOFFICE_TOKEN,
    gateway.BOFE_TOKEN,
    gateway.OPS_TOKEN,
    gateway.BACKOFFICE_TOKEN,
    "-----BEGIN PRIVATE KEY-----",
    "PHNhbWxwOlJlc3BvbnNl",  # "<samlp:Response", with which each assertion of the tests begins, in Base64
)
#: A gateway must not print or log these either; the simulator and the demo show some of them to people.
PRIVATE = (
    *SECRETS,
    "simulator-secret",
    "+639171234567",
    "9171234567",
    "getting divorced",
    "Maria Cruz",
    "Billing question",
)


def found_in(text: str, words: Iterable[str]) -> list[str]:
    """Those of the words that the text contains."""
    return [word for word in words if word in text]
