"""Checks the source of SAML assertions. An assertion in a file is read but not sent."""

from collections.abc import Iterator

from genesys_gateway.commands.check.findings import Finding, good, wrong
from genesys_gateway.genesys.assertions.file import AssertionFile
from genesys_gateway.genesys.assertions.source import AssertionMissing, Assertions
from genesys_gateway.genesys.assertions.validity import validity
from genesys_gateway.genesys.login import assertion_source
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.settings import Settings

#: Maximum difference of clocks that Genesys accepts, in milliseconds (Genesys docs).
_SKEW_MS = 10_000


def inspect(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """One finding for the grant saml2-bearer, none for client credentials."""
    source = assertion_source(settings, clock)
    if settings.genesys_grant_type != "saml2-bearer" or source is None:
        return
    if trouble := source.trouble():
        yield wrong("assertion", trouble, "fix what is named; docs/connect-genesys.md explains assertions")
    elif isinstance(source, AssertionFile):
        yield _check_file(source, clock.now())
    else:
        yield good("assertion", _describe(settings))


def _describe(settings: Settings) -> str:
    if settings.genesys_saml_assertion_url is not None:
        return "requested from GENESYS_SAML_ASSERTION_URL whenever a token is due"
    return f"signed by the gateway; its key can sign for any user, not only for {settings.genesys_saml_subject}"


def _check_file(source: Assertions, now: int) -> Finding:
    try:
        limits = validity(source.take())
    except AssertionMissing as error:
        return wrong("assertion", str(error), "put the SAMLResponse there unchanged")
    if limits.encrypted:
        return wrong(
            "assertion", "it is encrypted", "turn it off at the provider: Genesys accepts no encrypted assertion"
        )
    if limits.since is not None and limits.since - _SKEW_MS > now:
        return wrong("assertion", "the one in the file is not valid yet", "compare the clocks of all machines")
    return good("assertion", "the file holds one")
