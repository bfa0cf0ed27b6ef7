"""Runs the service: this process becomes gunicorn, with the configuration of the package."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from genesys_gateway.runtime import stop_signal

#: The folder of this package: in a checkout, Python has to be told.
_HOME = str(Path(__file__).parents[2])
#: -P: modules are not looked for in the current folder.
_CODE = "import sys; sys.path.append(sys.argv.pop(1)); from genesys_gateway.serving.launch import launch; launch()"
_PYTHON = ("-P", "-c", _CODE)
_GUNICORN = ("-c", "python:genesys_gateway.serving.gunicorn_conf", "genesys_gateway.serving.wsgi:app")


def run() -> NoReturn:
    """Replace this process by gunicorn's master. It keeps the process id, so signals reach the service."""
    sys.stdout.flush()
    stop_signal.hold()  # until gunicorn handles it; then its configuration lets it through
    os.execv(sys.executable, [sys.executable, *_PYTHON, _HOME, *_GUNICORN])  # noqa: S606 - no shell is wanted
