"""Where a SAML assertion comes from.

Invariant: an assertion is handed out once.

The files, in reading order:

    source               what every source offers, and the memory of used assertions
    file                 a file that another process renews
    url                  an internal identity provider, asked over HTTP
    signed               signed here, with a key of our own
"""
