"""What ends the demo early."""


class DemoFailed(Exception):
    """It can't go on; the text says why, for the person before the screen."""
