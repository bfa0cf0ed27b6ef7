"""The harness: real processes, HTTP, the simulator's control API, and the judge of what it wrote down.

Invariant: only processes, TCP and signals. Nothing in here imports the gateway.
"""
