"""Where a SAML assertion comes from: a file, an address, a key of our own."""
