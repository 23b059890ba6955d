"""Optional words of which exactly one is said: for a validator, and for the schema that editors check by."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

Words = tuple[str, ...]


def one_required(words: Words) -> dict[str, Any]:
    """The model's `json_schema_extra`."""
    return {"oneOf": [{"required": [word]} for word in words]}


def said_one(model: BaseModel, words: Words) -> str:
    """The word that has a value.

    Raises: PydanticCustomError when none has, or several have.
    """
    said = [word for word in words if getattr(model, word) is not None]
    if len(said) != 1:
        about = {"words": ", ".join(f"`{word}`" for word in words), "found": " and ".join(said) or "none of them"}
        raise PydanticCustomError("exactly_one", "needs exactly one of {words}; found {found}", about)
    return said[0]
