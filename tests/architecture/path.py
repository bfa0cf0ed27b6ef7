"""``python -m tests.architecture.path``: which modules and folders of the package a call enters.

Makes a registration, receives an event, delivers a record and reads one answer of a reconciliation, on the doubles and
``sqlite://``, and watches every function call of the process meanwhile. A module is entered when one of its functions
runs or one of its data classes is created. A move is a call from one folder to another, directly or through a library.
"""

from gevent import monkey

monkey.patch_all()

import sys
import threading
from types import FrameType

from genesys_gateway.runtime import logs
from tests.architecture.watched_calls import Calls, serve
from tests.doubles.genesys import listening

CALLS = ("registration", "event", "delivery_attempt", "reconciliation_answer")


class Path:
    """The modules that are entered while it is ``on``, and the number of moves between folders."""

    def __init__(self) -> None:
        self.on = False
        self.modules: set[str] = set()
        self.moves = 0

    def begin(self) -> None:
        self.on = True

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Of sys.setprofile: called for each call of a function, also by the greenlets of this thread."""
        module = module_of(frame)
        if self.on and module and event == "call" and frame.f_code.co_name != "<module>":
            caller = frame.f_back
            while caller and not module_of(caller):
                caller = caller.f_back
            self.modules.add(module)
            self.moves += caller is not None and folder_of(module_of(caller)) != folder_of(module)


def module_of(frame: FrameType) -> str:
    """The module whose code a frame runs, without the package's name; empty for code outside the package."""
    package, _, module = str(frame.f_globals.get("__name__")).partition(".")
    return module if package == "genesys_gateway" else ""


def folder_of(module: str) -> str:
    return module.partition(".")[0]


def walk(name: str) -> Path:
    """Make one of the calls and return its path."""
    path = Path()
    sys.setprofile(path)
    threading.setprofile(path)  # gevent hands it to the thread of the database
    try:
        with listening(serve) as url:
            calls = Calls(url, path.begin)
            getattr(calls, name)()
            path.on = False
            calls.close()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return path


def main() -> None:
    """Print the path of each call."""
    logs.configure("critical", "text")
    for name in CALLS:
        path = walk(name)
        by_folder: dict[str, list[str]] = {}
        for module in sorted(path.modules):
            by_folder.setdefault(folder_of(module), []).append(module)
        print(f"{name}: {len(path.modules)} modules in {len(by_folder)} folders, {path.moves} moves between folders")
        for modules in by_folder.values():
            print(f"    {', '.join(modules)}")


if __name__ == "__main__":
    main()
