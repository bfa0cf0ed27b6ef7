"""The HTTP interface: what callers send is authenticated, checked, handed to one function of ``intake``, and answered."""
