"""The JSON of callers, as marshmallow schemas.

The files, in reading order:

    requests             what callers send
    replies              what they get
"""
