"""`keep` of the methods that take out heads and neurons: a number, or a share of what there is."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Share = Annotated[float, Field(gt=0, lt=1)]


def _count_or_share(value: object) -> str:
    """Which of the two was meant, so that a mistake is reported once."""
    return "share" if isinstance(value, float) else "count"


Keep = Annotated[Annotated[Count, Tag("count")] | Annotated[Share, Tag("share")], Discriminator(_count_or_share)]
