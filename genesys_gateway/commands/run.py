"""Runs the service: this process becomes gunicorn, with the configuration of the package."""

import os
import signal
import sys
from typing import NoReturn

_GUNICORN = ("-m", "gunicorn", "-c", "python:genesys_gateway.serving.gunicorn_conf", "genesys_gateway.serving.wsgi:app")


def run() -> NoReturn:
    """Replace this process by gunicorn's master. It keeps the process id, so signals reach the service."""
    sys.stdout.flush()
    # Until gunicorn can handle it, SIGTERM waits: the kernel never gives it to a process 1, as in a container, that has
    # no handler yet. The configuration lets it through.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.execv(sys.executable, [sys.executable, *_GUNICORN])  # noqa: S606 - no shell is wanted
