"""The HTTP interface: a request is authenticated, checked, handed to one function of ``intake``, and answered."""
