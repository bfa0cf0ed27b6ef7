"""What every part runs on: time, greenlets, errors, logs, metrics, outgoing HTTP."""
