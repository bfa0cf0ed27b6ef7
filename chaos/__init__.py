"""Chaos: the real service is broken on purpose, in every way we could think of, and its promises are counted.

Law: only processes, TCP and signals, as in `proof`, whose tools are used. Nothing in here imports the gateway.
"""
