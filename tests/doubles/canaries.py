"""Words that tests plant as secrets and as personal data, and that may come out nowhere.

A value that begins with ``canary`` needs no line here: none may ever be printed or logged.
"""

from collections.abc import Iterable

from tests.doubles import web as door
from tests.harness import gateway

#: Whatever prints them betrays them.
SECRETS = (
    "canary",
    door.BOFE_TOKEN,
    door.OPS_TOKEN,
    door.BACKOFFICE_TOKEN,
    gateway.BOFE_TOKEN,
    gateway.OPS_TOKEN,
    gateway.BACKOFFICE_TOKEN,
    "-----BEGIN PRIVATE KEY-----",
    "PHNhbWxwOlJlc3BvbnNl",  # how every assertion of our own begins, in Base64
)
#: What a gateway must not write besides; the simulator and the demo show it to people.
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
    """Which of them stand in a text."""
    return [word for word in words if word in text]
