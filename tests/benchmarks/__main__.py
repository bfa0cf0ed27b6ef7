"""`python -m tests.benchmarks [NAME [ARGUMENTS]]`: runs one benchmark with the arguments, or all, one after the other.

Each runs in a process of its own, because some patch the standard library. The exit code is that of the first that
fails.
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
    if not arguments:
        codes = (subprocess.call([sys.executable, "-m", f"tests.benchmarks.{name}"]) for name in names())
        return next((code for code in codes if code), 0)
    name, *others = arguments
    if name not in names():
        sys.stderr.write(f"no such benchmark: {name}; there are {', '.join(names())}\n")
        return 2
    return subprocess.call([sys.executable, "-m", f"tests.benchmarks.{name}", *others])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
