"""The exception that ends the demo early."""


class DemoFailed(Exception):
    """The demo can't go on; its text, which is printed, says why."""
