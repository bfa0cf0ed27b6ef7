"""One story per file: ``play(stage)``, and ``SECONDS`` where it may take longer than usual."""
