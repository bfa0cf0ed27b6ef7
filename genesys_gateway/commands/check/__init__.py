"""``check``: checks everything that the gateway needs before it goes live, and says what to fix.

Invariant: a check changes nothing, unless asked to write a probe record.

The files, in reading order:

    command              the order of the checks, and what is printed
    findings             one finding: passed, failed or not checked, and what to do
    database             the database: reachable, safe, upgraded
    hosts                every host, through proxy and TLS
    assertion            the source of SAML assertions
    cloud                Genesys: login, permissions, channels
    receiver             CommunicationHistory
    issuer               the issuer of callers' tokens
"""
