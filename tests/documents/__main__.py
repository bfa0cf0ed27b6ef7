"""``python -m tests.documents --list`` lists the commands of the documents, and what is done with each.

``python -m tests.documents docs/simulator.md …`` runs those of some pages, without an argument those of all.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.architecture.sources import name_of
from tests.documents import namespaces
from tests.documents.commands import blocks, by_page_and_stage, listing, mistakes
from tests.documents.markdown import documents


def main(arguments: list[str]) -> int:
    """Return the exit code: 1 if a command did not do what its page says."""
    if arguments == ["--list"]:
        sys.stdout.write(listing())
        return 0
    pages = [Path(argument).resolve() for argument in arguments] or documents()
    wrong = [mistake for page in pages for mistake in mistakes(page)]
    for (page, stage), found in by_page_and_stage(blocks(pages)).items():
        begun = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="documents-"))
        failure = namespaces.run(stage, found, folder)
        sys.stdout.write(f"{time.monotonic() - begun:5.1f} s  {name_of(page)} ({stage}): {len(found)} blocks\n")
        if failure:
            wrong.append(f"{failure}\n--- logs are in {folder}")
        else:
            shutil.rmtree(folder)
    sys.stdout.write("".join(f"\n{one}\n" for one in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
