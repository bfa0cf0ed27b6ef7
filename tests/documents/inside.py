"""``python -m tests.documents.inside``: runs the blocks of one page and stage in the network namespace that it is in.

It reads what to run as JSON from stdin. Exit code 0 if all did what the page says, else 1 and what was wrong on stdout.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.documents.relay import inner_half
from tests.documents.shell import Failure, Shell
from tests.documents.stages import STAGES


def main() -> int:
    """Return the exit code."""
    task = json.load(sys.stdin)
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    with ExitStack() as until_end:
        folder = Path(task["folder"])
        until_end.enter_context(inner_half(Path(task["postgresql"])))
        scene = STAGES[task["stage"]](folder, until_end)
        notes = folder / "notes"
        notes.mkdir()
        return _run(Shell(scene, notes), task["blocks"])


def _run(shell: Shell, blocks: list[dict[str, Any]]) -> int:
    place, text = "", ""
    try:
        for block in blocks:
            place, text = block["place"], block["text"]
            if block["background"]:
                shell.start(text)
            else:
                shell.run(text, block["code"])
        place, text = "the end of the page", ""
        shell.end()
    except Failure as failure:
        sys.stdout.write(f"{place}: {failure}\n--- it was\n{text}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
