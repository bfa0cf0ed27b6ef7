"""Is there an assertion to ask for a token with? The file is looked into; nothing is used up."""

import base64
import re
from collections.abc import Iterator
from datetime import datetime

from genesys_gateway.commands.check.findings import Finding, good, wrong
from genesys_gateway.genesys.assertions.file import AssertionFile
from genesys_gateway.genesys.assertions.source import AssertionMissing, Assertions
from genesys_gateway.genesys.login import assertions_of
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.settings import Settings

#: Genesys docs: how far clocks may be apart.
_SKEW_MS = 10_000
_FRESH = "have the identity provider make a fresh one; it must be replaced every few minutes"


def inspect(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """One finding for the grant saml2-bearer, none for client credentials."""
    source = assertions_of(settings, clock)
    if settings.genesys_grant_type != "saml2-bearer" or source is None:
        return
    if trouble := source.trouble():
        yield wrong("assertion", trouble, "mend what is named; docs/connect-genesys.md tells how assertions come about")
    elif isinstance(source, AssertionFile):
        yield _in_the_file(source, clock.now())
    else:
        yield good("assertion", _kind(settings))


def _kind(settings: Settings) -> str:
    if settings.genesys_saml_assertion_url is not None:
        return "asked for at GENESYS_SAML_ASSERTION_URL whenever a token is due"
    return f"signed by the gateway; whoever has the key can be any user, not only {settings.genesys_saml_subject}"


def _in_the_file(source: Assertions, now: int) -> Finding:
    try:
        xml = base64.b64decode(source.take()).decode("utf-8", "replace")
    except (AssertionMissing, ValueError) as error:
        return wrong("assertion", f"the file can't be read: {error}", "put the SAMLResponse there unchanged")
    if "EncryptedAssertion" in xml:
        return wrong("assertion", "it is encrypted", "Genesys takes none that is: turn encryption off at the provider")
    if any(at + _SKEW_MS <= now for at in _moments(xml, "NotOnOrAfter")):
        return wrong("assertion", "the one in the file is out of date", _FRESH)
    if any(at - _SKEW_MS > now for at in _moments(xml, "NotBefore")):
        return wrong("assertion", "the one in the file is not valid yet", "compare the clocks of all machines")
    return good("assertion", "the file holds one")


def _moments(xml: str, name: str) -> list[float]:
    """Epoch milliseconds; what can't be read is left to Genesys to judge."""
    found = []
    for text in re.findall(rf'\b{name}="([^"]{{1,40}})"', xml):
        try:
            found.append(datetime.fromisoformat(text).timestamp() * 1000)
        except ValueError:
            continue
    return found
