"""The JSON of Genesys, as marshmallow schemas.

Invariant: fields that Genesys adds are ignored.

The files, in reading order:

    paced_list           a list whose items are loaded with pauses
    notification         the body of an after-call-work notification
    conversations        the live view and the analytics of a conversation
    names                the names of several users or wrap-up codes
    channels             notification channels and their topics; the API's errors
    login                access tokens, and the answers that ``check`` reads about them
"""
