"""Proof: stories played against the real service, each judged by what the simulator wrote down.

Law: only processes, TCP and signals. Nothing in here imports the gateway: what it promises is computed once more.
"""
