"""Every SQL statement, one module for each use case."""
