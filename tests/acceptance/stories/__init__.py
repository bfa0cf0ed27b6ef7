"""One story per module: ``play(stage)``, and ``SECONDS``, the time limit, where it differs from the usual one."""
