"""Asks Genesys over REST what the sockets may have missed, and closes what is over."""
