"""``check``: checks everything that the gateway needs before it goes live, and says what to fix.

Invariant: a check changes nothing, except that ``--write-probe`` writes a record. It uses up an assertion in a file
only if no gateway runs on the database, or with ``--use-assertion``.

The files, in reading order:

    command              the order of the checks, and what is printed
    findings             one finding: good, wrong or skipped, and what to do
    database             the database: reachable, safe, upgraded
    instances            instances that are missing, and the clock of PostgreSQL
    hosts                every host, through proxy and TLS
    assertion            the source of SAML assertions
    cloud                Genesys: login, permissions, channels
    receiver             CommunicationHistory
    issuer               the issuer of callers' tokens
"""
