"""Marshmallow definitions of everything that crosses a border; imports nothing of ours."""
