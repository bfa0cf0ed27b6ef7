"""Where SAML assertions come from: a file, the URL of an identity provider, or a key of our own.

Invariant: an assertion that Genesys refused is not sent again.

The files, in reading order:

    source               what every source offers
    history              what became of each assertion, and which may be sent again
    validity             until when an assertion is valid, read from itself
    file                 a file that another process keeps replacing
    url                  an identity provider inside the organisation, called over HTTP
    signed               made and signed here, with our own key
"""
