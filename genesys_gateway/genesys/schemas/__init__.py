"""The JSON of Genesys, as marshmallow schemas.

The files, in reading order:

    notification         frames of the WebSocket, and the after-call work event
    conversations        the live view and the analytics of a conversation; names
    channels             notification channels and their topics
    login                access tokens, and what ``check`` asks about them
"""
