"""Compares the gateway with what a user would write instead, and with the limit of its libraries, in the same run."""
