"""Acceptance: stories played against the real service, each judged by the ledger of the simulator.

`python -m tests.acceptance` plays them for the published figures; tests/flow plays some of them at a small scale.

Invariant: only processes, TCP and signals. Nothing in here imports the gateway: what it promises is computed again.
"""
