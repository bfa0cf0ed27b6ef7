"""Starts the simulator's command line in a process that gevent has patched."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator's command line and return the exit code. Applies gevent's monkey patches first."""
    from gevent import monkey

    if not monkey.is_module_patched("socket"):
        monkey.patch_all()  # before anything below imports ssl or socket
    from genesys_gateway.simulator.cli import run

    return run(argv)
