from typing import Any

class Config:
    keepalive: int
    def set(self, name: str, value: Any) -> None: ...
