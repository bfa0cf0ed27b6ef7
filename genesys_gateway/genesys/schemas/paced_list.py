"""A list whose items are loaded with pauses, so that other greenlets run while a list of thousands is loaded."""

from typing import Any, TypeVar

from marshmallow import fields

from genesys_gateway.runtime.greenlets import paced

T = TypeVar("T")


class PacedList(fields.List[T]):
    """A list field; apart from the pauses like marshmallow's own."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: Any) -> list[T | None]:
        return super()._deserialize(paced(value) if isinstance(value, list) else value, attr, data, **kwargs)
