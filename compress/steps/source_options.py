"""What the sources of `load_data` have in common: local places, columns, encodings. Imports no reader."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from compress.chain.outside import LocalPath
from compress.frozen import Frozen

if TYPE_CHECKING:
    from compress.data.record import Columns, Part


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise PydanticCustomError(
            "encoding", "unknown encoding '{name}': write utf-8, latin-1, cp1252, utf-16, …", {"name": name}
        ) from None
    return name


Column = Annotated[str, Field(min_length=1)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class SourceOptions(Frozen):
    """What every source can be asked."""

    has_columns: ClassVar[bool] = False
    """Whether `split.group` can name one."""

    @property
    def labelled(self) -> bool:
        """Whether labels are read."""
        return True

    @property
    def text_columns(self) -> int:
        """2 for pairs."""
        return 1

    @property
    def separator(self) -> str | None:
        """What stands between several labels in one cell."""
        return None

    @property
    def given(self) -> frozenset[str]:
        """The splits that it has."""
        return frozenset({"train"})

    @property
    def title(self) -> str:
        """For people; never an absolute path."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it is called")

    @property
    def licence(self) -> str | None:
        """Of the rows, where the source says it."""
        return None

    def parts(self, *, group: str | None) -> "dict[str, Part]":
        """What to read for each split that it has."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to read")


class LocalSource(SourceOptions):
    """Files or folders on this machine."""

    train: LocalPath
    """The training rows; splits that are not given are cut from them."""
    validation: LocalPath | None = None
    """The validation rows."""
    test: LocalPath | None = None
    """The test rows."""

    @property
    def paths(self) -> dict[str, Path]:
        """The path of each split that is given."""
        places = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: place.path for split, place in places.items() if place is not None}

    @property
    def given(self) -> frozenset[str]:
        """The splits that it has."""
        return frozenset(self.paths)

    @property
    def title(self) -> str:
        """The names of the files."""
        return ", ".join(path.name for path in self.paths.values())


class Table(SourceOptions):
    """Anything with columns."""

    has_columns: ClassVar[bool] = True

    text: Column | tuple[Column, Column]
    """The column with the text, or the two of a sentence pair."""
    label: Column | None
    """The column with the label; null: the text is unlabelled."""
    label_separator: str | None = Field(default=None, min_length=1)
    """What stands between several labels in one cell (multi-label): `a;b` with ';'."""

    @property
    def labelled(self) -> bool:
        """Whether there is a label column."""
        return self.label is not None

    @property
    def text_columns(self) -> int:
        """2 for pairs."""
        return 1 if isinstance(self.text, str) else 2

    @property
    def separator(self) -> str | None:
        """As it was written."""
        return self.label_separator

    def columns(self, group: str | None) -> "Columns":
        """The columns to read."""
        from compress.data.record import Columns

        return Columns((self.text,) if isinstance(self.text, str) else self.text, self.label, group)
