"""Errors the simulated Genesys Cloud answers with, in Genesys's own shape."""

from __future__ import annotations

from collections.abc import Mapping


class ApiError(Exception):
    """One refused call; the HTTP layer turns it into Genesys's error body (F60)."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class LoginError(Exception):
    """A refused grant. Genesys docs: the login host answers 400 for every mistake, a wrong secret too (F6)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class ControlError(Exception):
    """A call of the control API that makes no sense; answered 400 (or `status`) with a sentence."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class ConnectionDropped(ConnectionResetError):
    """Raised by a fault to make the HTTP layer reset the connection instead of answering."""


def not_found(what: str) -> ApiError:
    return ApiError(404, "not.found", f"The requested {what} was not found.")
