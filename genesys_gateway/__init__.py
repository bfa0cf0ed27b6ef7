"""Genesys-gateway."""
