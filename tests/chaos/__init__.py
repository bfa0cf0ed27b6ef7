"""Chaos: the real service is broken on purpose, in every way we could think of, and its promises are counted.

Law: only processes, TCP and signals, with the tools of `tests.harness`. Nothing in here imports the gateway.
"""
