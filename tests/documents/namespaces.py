"""Runs the commands of a page in namespaces of their own: ports are free, no network is there, no process is left."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.documents.commands import Block
from tests.documents.relay import outer_half
from tests.harness.processes import ROOT

#: Longest time of one page, in seconds.
_PAGE_SECONDS = 600.0
_AS_ROOT = () if os.geteuid() == 0 else ("--user", "--map-root-user")
_UNSHARE = ("unshare", *_AS_ROOT, "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


@cache
def available() -> bool:
    """Whether this account may make namespaces."""
    try:
        return subprocess.run((*_UNSHARE, "ip", "link", "set", "lo", "up"), capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def run(stage: str, blocks: Sequence[Block], folder: Path) -> str:
    """Run blocks in order; return what was wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="documents-") as short:
        postgresql = Path(short) / "postgresql"
        task = {
            "stage": stage,
            "folder": str(folder),
            "postgresql": str(postgresql),
            "blocks": [
                {
                    "place": block.fence.place,
                    "text": block.fence.text,
                    "background": block.background,
                    "code": block.code,
                }
                for block in blocks
            ],
        }
        with outer_half(postgresql):
            done = subprocess.run(
                (*_UNSHARE, sys.executable, "-m", "tests.documents.inside"),
                cwd=ROOT,
                input=json.dumps(task),
                capture_output=True,
                text=True,
                timeout=_PAGE_SECONDS,
            )
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}".strip() or f"exit code {done.returncode}"
