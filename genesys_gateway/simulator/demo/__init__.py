"""The whole way on one machine, to be watched."""
