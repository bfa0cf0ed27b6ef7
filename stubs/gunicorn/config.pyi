from typing import Any

class Config:
    chdir: str
    keepalive: int
    def set(self, name: str, value: Any) -> None: ...
