from typing import Any

class Body:
    reader: Any
    def __init__(self, reader: Any) -> None: ...
    def _read_reader(self, size: int) -> bytes: ...
    def read(self, size: int | None = None) -> bytes: ...

class LengthReader:
    length: int
