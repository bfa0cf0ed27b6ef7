"""Exceptions that become error answers: Genesys's API, its login, the control API; and a dropped connection."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """An API call that is answered with an error; the HTTP layer turns it into Genesys's error body (F60)."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class LoginError(Exception):
    """A grant that is denied. Genesys docs: the login host answers 400 to every error, even a wrong secret (F6)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class ControlError(Exception):
    """An invalid call of the control API, answered with `status` and a sentence."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class ConnectionDropped(ConnectionResetError):
    """Makes the HTTP layer reset the connection instead of answering; raised by faults."""


def not_found(what: str) -> ApiError:
    return ApiError(404, "not.found", f"The requested {what} was not found.")
