"""A Genesys Cloud and a CommunicationHistory-manager to practise against, in one process.

Law: nothing in here imports anything else of the gateway, so that a mistake there is not repeated here.

What is where: `world` wires `oauth`, `channels`, `centre` (conversations), `receiver`, `faults`, `ledger` and `clock`
without any HTTP; `rest`, `sockets`, `control`, `console` are its doors; `app`, `server` and `cli` put them on a port.
The facts that are imitated are numbered in docs/genesys-facts.md, and cited as `F12`.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator's command line; gives the exit code. Patches the process for gevent first."""
    from gevent import monkey

    if not monkey.is_module_patched("socket"):
        monkey.patch_all()  # before anything below imports ssl or socket
    from genesys_gateway.simulator.cli import run

    return run(argv)
