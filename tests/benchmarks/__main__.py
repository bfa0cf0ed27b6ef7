"""`python -m tests.benchmarks [NAME [ARGUMENTS]]`: runs one benchmark with the arguments; `speed` if none is named.

It runs in a process of its own, because some patch the standard library; its exit code is passed on.
"""

import pkgutil
import subprocess
import sys

from tests import benchmarks


def names() -> list[str]:
    """The names of all benchmarks: the modules and packages beside this file."""
    return [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]


def main(arguments: list[str]) -> int:
    """Run what the arguments name; returns the exit code."""
    name, *others = arguments or ["speed"]
    if name not in names():
        sys.stderr.write(f"no such benchmark: {name}; there are {', '.join(names())}\n")
        return 2
    return subprocess.call([sys.executable, "-m", f"tests.benchmarks.{name}", *others])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
