"""Benchmarks, each a program of its own; compare only figures of one run on one machine."""
