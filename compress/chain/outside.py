"""What a step reads from outside the store: local files and folders, installed packages, hub repositories.

Each is a value in a step's configuration that can say a digest of what it would read now, so that a file edited in
place, another package version or another commit on the hub makes another key.
"""

import re
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from compress.chain.digests import Digests
from compress.chain.hub import hub_commit, hub_folder
from compress.chain.packages import package_folder, package_version
from compress.errors import ConfigurationError, ModelError

PACKAGE, HUB = "package:", "hub:"

HUB_NAME = re.compile(r"^[\w.-]+(/[\w.-]+)?(@[\w./-]+)?$")
PACKAGE_FOLDER = re.compile(r"^[A-Za-z_]\w*(\.\w+)*(/[\w. -]+)*$")


@runtime_checkable
class Outside(Protocol):
    """Something that a step reads and no earlier stage made."""

    def fingerprint(self, digests: Digests) -> str:
        """What it would read now: a content digest, a package version or a commit.

        Raises: ConfigurationError when it is not there.
        """


class LocalPath:
    """A file or folder on this machine; relative paths are taken from the folder of the YAML file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash((type(self), str(self)))

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def parse(cls, text: str, folder: Path) -> Self:
        """The place that `text` names, as the user wrote it."""
        if "\0" in text or not text.strip():
            raise PydanticCustomError("path", "needs the path of a file or folder")
        try:
            return cls(folder / Path(text).expanduser())
        except RuntimeError:
            raise PydanticCustomError("path", "begins with the home folder of nobody: write the whole path") from None

    def fingerprint(self, digests: Digests) -> str:
        """Digest of the content."""
        if self.path.is_file():
            return digests.file(self.path)
        if self.path.is_dir():
            return digests.folder(self.path)
        raise ConfigurationError(
            f"'{self.path}' does not exist: write a path relative to the YAML file, or an absolute one."
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        from_text = core_schema.with_info_after_validator_function(cls._validate, core_schema.str_schema(min_length=1))
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), from_text], mode="left_to_right"
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def _validate(cls, text: str, info: ValidationInfo) -> Self:
        folder = (info.context or {}).get("folder", Path())
        return cls.parse(text, Path(folder))


class ModelSource(LocalPath):
    """A model folder: a local path, `package:NAME/FOLDER`, or `hub:ORG/NAME@REVISION`."""

    def __init__(self, path: Path, said: str | None = None) -> None:
        super().__init__(path)
        self.said = said if said is not None else str(path)

    def __str__(self) -> str:
        return self.said

    @classmethod
    def parse(cls, text: str, folder: Path) -> Self:
        """A path, or one of the schemes."""
        if text.startswith(PACKAGE):
            if not PACKAGE_FOLDER.match(text.removeprefix(PACKAGE)) or ".." in text:
                raise PydanticCustomError(
                    "package", "needs 'package:NAME/FOLDER', a folder inside an installed package"
                )
            return cls(Path(), text)
        if text.startswith(HUB):
            if not HUB_NAME.match(text.removeprefix(HUB)):
                raise PydanticCustomError("hub", "needs 'hub:NAME', 'hub:ORG/NAME' or 'hub:ORG/NAME@REVISION'")
            return cls(Path(), text)
        return super().parse(text, folder)

    @property
    def scheme(self) -> str | None:
        """`package:`, `hub:`, or None for a local folder."""
        return next((scheme for scheme in (PACKAGE, HUB) if self.said.startswith(scheme)), None)

    @property
    def title(self) -> str:
        """How people call it: never an absolute path."""
        return self.said if self.scheme else self.path.name

    def fingerprint(self, digests: Digests) -> str:
        """Content of a local folder, version of a package, commit of a hub repository."""
        if self.said.startswith(PACKAGE):
            package_folder(self.said.removeprefix(PACKAGE))
            name = self.said.removeprefix(PACKAGE).split("/")[0]
            return f"{self.said}=={package_version(name)}"
        if self.said.startswith(HUB):
            return f"{self.said.split('@')[0]}@{hub_commit(self.said.removeprefix('hub:'))}"
        return super().fingerprint(digests)

    def resolve(self) -> Path:
        """The folder on this machine; a hub repository is downloaded first.

        Raises: ModelError when it cannot be had.
        """
        if self.said.startswith(PACKAGE):
            return package_folder(self.said.removeprefix(PACKAGE))
        if self.said.startswith(HUB):
            return hub_folder(self.said.removeprefix(HUB))
        if not self.path.is_dir():
            raise ModelError(
                f"'{self.path}' is not a folder: a base is a folder with config.json, weights and tokenizer."
            )
        return self.path
