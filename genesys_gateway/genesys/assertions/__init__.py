"""Where SAML assertions come from: a file, the URL of an identity provider, or a key of our own.

Invariant: an assertion is given out once.

The files, in reading order:

    source               what every source offers, and the memory of used assertions
    file                 a file that another process keeps replacing
    url                  an identity provider inside the organisation, called over HTTP
    signed               made and signed here, with our own key
"""
