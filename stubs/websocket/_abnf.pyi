from collections.abc import Callable
from typing import Any

class ABNF:
    OPCODE_CLOSE: int
    fin: int
    opcode: int
    data: bytes

class FrameBuffer:
    length: int | None

    def __init__(self, recv_fn: Callable[[int], bytes], skip_utf8_validation: bool) -> None: ...
    def recv_length(self) -> None: ...

class ContinuousFrame:
    #: opcode, and the bytes so far, of a message whose fragments are arriving
    cont_data: list[Any] | None

frame_buffer = FrameBuffer
