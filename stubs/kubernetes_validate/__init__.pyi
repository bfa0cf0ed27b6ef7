from typing import Any

class ValidationError(Exception):
    message: str

def latest_version() -> str: ...
def validate(data: dict[str, Any], desired_version: str, strict: bool = ...) -> str: ...
