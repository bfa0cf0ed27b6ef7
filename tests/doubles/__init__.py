"""Fakes of what surrounds the part under test. They may import the gateway; the harness may not import them."""
