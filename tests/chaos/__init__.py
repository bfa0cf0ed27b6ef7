"""Chaos: the real service is broken on purpose, in many ways, and then its promises are checked.

Invariant: only processes, TCP and signals, with the tools of `tests.harness`. Nothing in here imports the gateway.
"""
